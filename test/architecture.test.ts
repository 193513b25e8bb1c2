// The rules of docs/ARCHITECTURE.md that a machine can check.
import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import test from 'tape'

const SOURCES = globSync(['lib/**/*.ts', 'extensions/**/*.ts'])

/** No clock, random source, file, process or socket of their own: all of it is handed in. */
const PURE = [
  ...globSync('lib/task*.ts').filter(file => file !== 'lib/peers/task-peer.ts'), ...globSync('lib/task/*.ts'), 'lib/base/bencode.ts', 'lib/base/bencode-encode.ts', 'lib/task/magnet.ts',
  ...globSync('lib/trust/*.ts').filter(file => file !== 'lib/config/trust-files.ts'),
  'lib/results/result-table.ts', 'lib/results/variants.ts', 'lib/results/packed-results.ts', 'lib/scheduling/scheduler.ts', 'lib/scheduling/claim-table.ts', 'lib/scheduling/candidates.ts', 'lib/scheduling/ranking.ts', 'lib/scheduling/backups.ts', ...globSync('lib/scheduling/*.ts'), ...globSync('lib/results/*.ts'), 'lib/session/progress.ts', 'lib/base/index-set.ts',
  'lib/base/token-bucket.ts', 'lib/connections/crowding.ts', 'lib/task/magnet-check.ts',
  'lib/peers/claim-exchange.ts', 'lib/peers/claim-relay.ts', 'lib/peers/announcer.ts', 'lib/peers/broadcast-queue.ts',
  'extensions/ut_bitworker/codec.ts', 'extensions/ut_bitworker/records.ts', 'extensions/ut_bitworker/relay-table.ts', 'extensions/ut_bitworker/state.ts', 'extensions/ut_bitworker/outbox.ts',
  'extensions/ut_bitworker/collision.ts', 'extensions/ut_bitworker/constants.ts'
]

const IMPURE = /node:(fs|net|http|https|dgram|child_process|timers|os|process|worker_threads)|\bMath\.random\b|\bDate\.now\b|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bprocess\./

function code (file: string): string {
  return readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

test('the core is pure', t => {
  for (const file of PURE) t.doesNotMatch(code(file), IMPURE, file)
  t.end()
})

test("WebTorrent's internals are touched in few files", t => {
  const allowed = new Set(['lib/webtorrent/torrent.ts', 'lib/webtorrent/internals.ts', 'lib/webtorrent/task-file-view.ts', 'lib/webtorrent/whole-reads.ts', 'lib/webtorrent/guarded-torrent.ts', 'lib/connections/dialling.ts', 'lib/connections/web-seed-guards.ts'])
  for (const file of SOURCES.filter(each => !allowed.has(each))) t.doesNotMatch(code(file), /from 'webtorrent\/lib/, file)
  t.end()
})

test('only the executor starts processes', t => {
  for (const file of SOURCES.filter(each => !/^lib\/executor[./]/.test(each))) t.doesNotMatch(code(file), /node:child_process/, file)
  t.end()
})

test('no file grows past comprehension', t => {
  for (const file of SOURCES) {
    const lines = readFileSync(file, 'utf8').split('\n').length
    t.ok(lines <= 400, `${file}: ${lines} lines`)
  }
  t.end()
})
