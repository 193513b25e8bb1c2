// The rules of docs/ARCHITECTURE.md that a machine can check: which room may import which, by which doors; what runs
// anywhere.
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'
import test from 'tape'
import { filesLike } from './helpers/files.ts'

const SOURCES = filesLike('lib/**/*.ts', 'lib/**/*.tsx', 'extensions/**/*.ts')

/** The page runs in a browser: it shares the contract with its server, and nothing else. */
const PAGE = 'lib/page/client/'
const PAGE_SHARES = new Set(['lib/page/snapshot.ts', 'lib/page/piece-states.ts'])

/** What each room may import besides itself and `base`. A type import is an import. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  system: [],
  results: [],
  explain: [],
  task: [],
  ut_bitworker: [],
  trust: ['task', 'ut_bitworker'],
  inputs: ['executor', 'session', 'store', 'system', 'task'],
  verification: ['results'],
  scheduling: ['ut_bitworker'],
  peers: ['scheduling', 'results', 'store', 'trust', 'ut_bitworker', 'verification'],
  download: ['peers', 'results', 'scheduling', 'store'],
  executor: ['system'],
  config: ['system', 'trust', 'task'],
  control: ['system'],
  page: ['session', 'store', 'system', 'task', 'webtorrent'],
  store: ['executor', 'system', 'results', 'task'],
  seal: ['store', 'task'],
  discovery: ['explain', 'peers', 'system'],
  connections: ['discovery', 'explain', 'peers', 'system', 'task', 'ut_bitworker'],
  session: ['peers', 'download', 'store', 'scheduling', 'results', 'task', 'ut_bitworker', 'verification'],
  webtorrent: [
    'explain',
    'system',
    'results',
    'task',
    'ut_bitworker',
    'trust',
    'scheduling',
    'peers',
    'download',
    'executor',
    'config',
    'inputs',
    'store',
    'discovery',
    'connections',
    'seal',
    'session',
    'verification'
  ],
  index: [
    'explain',
    'system',
    'results',
    'task',
    'ut_bitworker',
    'trust',
    'scheduling',
    'peers',
    'download',
    'executor',
    'config',
    'inputs',
    'store',
    'discovery',
    'connections',
    'seal',
    'session',
    'verification',
    'webtorrent',
    'version'
  ],
  cli: [
    'system',
    'results',
    'task',
    'ut_bitworker',
    'trust',
    'scheduling',
    'peers',
    'download',
    'executor',
    'config',
    'control',
    'page',
    'inputs',
    'store',
    'discovery',
    'connections',
    'seal',
    'session',
    'verification',
    'webtorrent',
    'index',
    'version'
  ],
  version: []
}

/** What other rooms may open; without a row, all of it. */
const DOORS: Record<string, readonly string[]> = {
  cli: ['main.ts'],
  executor: [
    'bash-executor.ts',
    'binds.ts',
    'cgroup/groups.ts',
    'failures.ts',
    'limits.ts',
    'own-command.ts',
    'pipe-watch.ts',
    'remove-tree.ts',
    'sandbox/detect.ts',
    'sandbox/gpu.ts',
    'sandbox/host.ts',
    'sandbox/missing.ts',
    'sandbox/scratch.ts',
    'sandbox/types.ts',
    'types.ts'
  ],
  peers: ['attestation-exchange.ts', 'attestation-parts.ts', 'claim-exchange.ts', 'hand-over.ts', 'identity.ts', 'meeting.ts', 'neighbours.ts', 'strikes.ts', 'task-peer.ts'],
  scheduling: ['backups.ts', 'claim.ts', 'claimants.ts', 'holder.ts', 'lag.ts', 'scheduler.ts'],
  session: ['attestations.ts', 'events.ts', 'overview.ts', 'work-session.ts'],
  store: ['compute-store.ts', 'finished-files.ts', 'folder-status.ts', 'log-entries.ts', 'log-reader.ts', 'missing-needs.ts', 'output.ts', 'partial-files.ts', 'piece-log.ts', 'reuse.ts', 'types.ts', 'verification-files.ts'],
  task: [
    'asks.ts',
    'columns.ts',
    'ed25519.ts',
    'inputs.ts',
    'key-format.ts',
    'magnet-check.ts',
    'magnet.ts',
    'names.ts',
    'needs.ts',
    'pins.ts',
    'signature.ts',
    'task.ts',
    'trackers.ts',
    'types.ts',
    'unsupported.ts'
  ],
  ut_bitworker: ['constants.ts', 'index.ts'],
  webtorrent: [
    'client.ts',
    'executors.ts',
    'inherited-options.ts',
    'leave.ts',
    'options.ts',
    'package-guards.ts',
    'public-types.ts',
    'types.ts', 'verify-types.ts'
  ]
}

/**
 * No file, process, socket, clock, timer or random numbers of their own: the simulator runs them, and a browser can.
 */
const PORTABLE = new Set([
  'base', 'results', 'scheduling', 'peers', 'download', 'task', 'trust', 'session', 'ut_bitworker', 'verification'
])
const EXEMPT = new Map([
  ['lib/base/digest.ts', 'node:crypto'],
  ['lib/base/clock.ts', 'the clock that is handed in elsewhere'],
  ['lib/base/wire.ts', 'the name of a method of a wire'],
  ['lib/task/ed25519.ts', 'node:crypto'],
  ['extensions/ut_bitworker/extension.ts', 'two defaults that callers replace']
])
const IMPURE = /\bMath\.random\b|\bDate\.now\b|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bprocess\./

/** Rooms that may touch what WebTorrent keeps to itself. */
const INSIDE_WEBTORRENT = new Set(['webtorrent', 'connections'])
const MAX_LINES = 320

const code = (file: string): string =>
  readFileSync(file, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')

function roomOf (file: string): string {
  const [top, first = '', ...rest] = file.split('/')
  if (top === 'extensions') return first
  return rest.length > 0 ? first : path.basename(first, '.ts')
}

const withinRoom = (file: string): string => file.split('/').slice(2).join('/')

/** `[from, to]` of every import, types included. */
function arrows (): Array<[string, string]> {
  return SOURCES.flatMap(file => [...code(file).matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+\.tsx?)'/g)]
    .map(([, target = '']): [string, string] => [file, path.normalize(path.join(path.dirname(file), target))]))
}

function wrongWith (from: string, to: string): string | null {
  const [room, other] = [roomOf(from), roomOf(to)]
  if (room === other) return null
  const may = MAY_IMPORT[room]
  if (may === undefined) return `the room ${room} has no row`
  if (other !== 'base' && !may.includes(other)) return `${room} may not import ${other}`
  return DOORS[other]?.includes(withinRoom(to)) === false ? `no door of ${other}` : null
}

test('each room imports what it may, by its doors', t => {
  const wrong = arrows().flatMap(([from, to]) => {
    const why = wrongWith(from, to)
    return why === null ? [] : [`${from} → ${to}: ${why}`]
  })
  t.deepEqual(wrong, [], 'no wrong arrow')
  t.end()
})

test('the tables name existing files', t => {
  const rooms = new Set(SOURCES.map(roomOf))
  t.deepEqual([...rooms].filter(room => MAY_IMPORT[room] === undefined), [], 'each room has a row')
  t.deepEqual(Object.keys(MAY_IMPORT).filter(room => !rooms.has(room)), [], 'each row has a room')
  const opened = new Set(
    arrows()
      .filter(([from, to]) => roomOf(from) !== roomOf(to))
      .map(([, to]) => `${roomOf(to)}/${withinRoom(to)}`)
  )
  const doors = Object.entries(DOORS).flatMap(([room, files]) => files.map(file => `${room}/${file}`))
  t.deepEqual(doors.filter(door => !opened.has(door) && door !== 'cli/main.ts'), [], 'each door is used')
  t.deepEqual([...EXEMPT.keys()].filter(file => !SOURCES.includes(file)), [], 'each exemption is needed')
  t.end()
})

test('the page in the browser shares the contract with its server, and nothing else', t => {
  const across = arrows().filter(([from, to]) => from.startsWith(PAGE) !== to.startsWith(PAGE))
  t.deepEqual(across.filter(([from, to]) => !from.startsWith(PAGE) || !PAGE_SHARES.has(to)), [])
  const node = SOURCES.filter(file => file.startsWith(PAGE) && /'node:|innerHTML|dangerouslySet/.test(code(file)))
  t.deepEqual(node, [], 'no module of Node, and text is never HTML')
  t.end()
})

test('portable rooms have nothing of a machine', t => {
  const portable = SOURCES.filter(file => PORTABLE.has(roomOf(file)) && !EXEMPT.has(file))
  for (const file of portable) t.doesNotMatch(code(file), IMPURE, file)
  t.end()
})

test('portable rooms can be bundled for a browser', async t => {
  const asked: string[] = []
  const note = {
    name: 'note',
    resolveId (source: string, importer: string | undefined) {
      if (!source.startsWith('node:')) return null
      const from = path.relative('.', importer ?? '')
      if (source !== 'node:events' && !EXEMPT.has(from)) asked.push(`${from}: ${source}`)
      return { id: source, external: true }
    }
  }
  const input = SOURCES.filter(file => PORTABLE.has(roomOf(file)))
  const bundle = await rolldown({ input, platform: 'browser', plugins: [note], logLevel: 'silent' })
  await bundle.generate()
  await bundle.close()
  t.ok(input.length > 40, `${input.length} files`)
  t.deepEqual(asked, [], 'no module of Node but node:events')
})

test('WebTorrent is opened in few rooms', t => {
  const wrong = SOURCES.filter(file => /from 'webtorrent\/lib/.test(code(file)) && !INSIDE_WEBTORRENT.has(roomOf(file)))
  t.deepEqual(wrong, [])
  t.end()
})

test('only the executor starts processes', t => {
  t.deepEqual(SOURCES.filter(file => /node:child_process/.test(code(file)) && roomOf(file) !== 'executor'), [])
  t.end()
})

test('no file grows past comprehension', t => {
  const lengths = SOURCES.map(file => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
  t.deepEqual(lengths.filter(({ lines }) => lines > MAX_LINES), [])
  t.ok(readdirSync('lib').length <= 24, 'few entries in lib/')
  t.end()
})
