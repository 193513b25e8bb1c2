// The rules of docs/ARCHITECTURE.md that a machine can check.
import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import test from 'tape'

const SOURCES = globSync(['lib/**/*.ts', 'extensions/**/*.ts'])

/** No clock, random source, file, process or socket of their own: all of it is handed in. */
const PURE = [
  ...globSync('lib/task*.ts').filter(file => file !== 'lib/task-peer.ts'), ...globSync('lib/task/*.ts'), 'lib/bencode.ts', 'lib/bencode-encode.ts', 'lib/magnet.ts',
  ...globSync('lib/trust/*.ts').filter(file => file !== 'lib/trust/files.ts'),
  'lib/results.ts', 'lib/variants.ts', 'lib/packed-results.ts', 'lib/scheduler.ts', 'lib/claims.ts', 'lib/candidates.ts', 'lib/ranking.ts', 'lib/backups.ts', ...globSync('lib/scheduling/*.ts'), ...globSync('lib/results/*.ts'), 'lib/progress.ts', 'lib/index-set.ts',
  'lib/token-bucket.ts', 'lib/connections/crowding.ts', 'lib/magnet-check.ts',
  'lib/claim-exchange.ts', 'lib/relaying.ts', 'lib/announcer.ts', 'lib/news.ts',
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
  const allowed = new Set(['lib/torrent.ts', 'lib/webtorrent-internals.ts', 'lib/file.ts', 'lib/webtorrent/whole-reads.ts', 'lib/webtorrent/guarded-torrent.ts', 'lib/connections/dialling.ts', 'lib/connections/web-seed-guards.ts'])
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
