// The trust list as text, and what it makes of a task.
import { generateKeyPairSync } from 'node:crypto'
import test from 'tape'
import { signTask } from '../../lib/task/signature.ts'
import { createTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import type { TaskInput } from '../../lib/task/types.ts'
import { judgeTask, judgeTasks } from '../../lib/trust/judge.ts'
import { formatTrustStore, parseTrustStore } from '../../lib/trust/list-format.ts'
import type { KnownAuthor } from '../../lib/trust/list-format.ts'
import { isRefused } from '../helpers/refused.ts'

const NOW = new Date('2026-06-01T00:00:00Z')
const sign = (task: Task, label?: string): Task =>
  signTask(task, generateKeyPairSync('ed25519').privateKey, {
    time: new Date(0), ...(label !== undefined && { label })
  })
/** 4 pieces of at most 1 KiB and 30 minutes: 2 hours. */
const unsigned = createTask({ name: 'x', command: 'true', parts: 4, pieceLength: 1024, timeoutMs: 1_800_000 })
const ada = sign(unsigned, 'Ada')
const both = sign(ada, 'Ben')
const [ADA, BEN] = both.signatures.map(({ publicKey }) => publicKey) as [string, string]
const endless = sign(createTask({ name: 'x', command: 'true', parts: 1 }))
const completed = sign(
  createTask({ name: 'x', command: 'true', parts: 1, timeoutMs: 1000, completeCommand: 'sleep 1e9' })
)
const bounded = sign(createTask({
  name: 'x',
  command: 'true',
  files: [{ path: 'a', parts: 1 }, { path: 'b', parts: 1 }],
  completeCommand: 'true',
  timeoutMs: 1_800_000,
  completeTimeoutMs: 3_600_000,
  memoryBytes: 2 ** 30,
  scratchBytes: 2 ** 20
}))
const BOUNDED = bounded.signatures[0]!.publicKey
const day = (text: string): Date => new Date(`${text}T00:00:00Z`)

const cases: Array<[what: string, task: Task, authors: KnownAuthor[], verdict: string, standings: string[]]> = [
  ['unsigned', unsigned, [{ key: ADA }], 'ask', []],
  ['nobody is trusted', ada, [], 'ask', ['unknown']],
  ['an unknown key', ada, [{ key: BEN }], 'ask', ['unknown']],
  ['a trusted key', ada, [{ key: ADA }], 'trusted', ['trusted']],
  ['a denied key', ada, [{ key: ADA, denied: true }], 'denied', ['denied']],
  ['a denied key weighs more', both, [{ key: ADA }, { key: BEN, denied: true }], 'denied', ['trusted', 'denied']],
  ['one trusted key suffices', both, [{ key: BEN }], 'trusted', ['unknown', 'trusted']],
  ['trusted until tomorrow', ada, [{ key: ADA, expires: day('2026-06-02') }], 'trusted', ['trusted']],
  ['trusted until today', ada, [{ key: ADA, expires: NOW }], 'ask', ['limited']],
  ['as many hours', ada, [{ key: ADA, maxHours: 2 }], 'trusted', ['trusted']],
  ['fewer hours', ada, [{ key: ADA, maxHours: 1 }], 'ask', ['limited']],
  [
    'hours for a task without limit',
    endless,
    [{ key: endless.signatures[0]!.publicKey, maxHours: 1e9 }],
    'ask',
    ['limited']
  ],
  [
    'hours for a complete command',
    completed,
    [{ key: completed.signatures[0]!.publicKey, maxHours: 1e9 }],
    'ask',
    ['limited']
  ],
  ['hours with complete commands', bounded, [{ key: BOUNDED, maxHours: 3 }], 'trusted', ['trusted']],
  ['fewer hours with complete commands', bounded, [{ key: BOUNDED, maxHours: 2.9 }], 'ask', ['limited']],
  ['as much memory', bounded, [{ key: BOUNDED, maxMemory: 2 ** 30 }], 'trusted', ['trusted']],
  ['less memory', bounded, [{ key: BOUNDED, maxMemory: 2 ** 30 - 1 }], 'ask', ['limited']],
  ['memory for a task that does not say', ada, [{ key: ADA, maxMemory: 2 ** 50 }], 'ask', ['limited']],
  ['as much room', bounded, [{ key: BOUNDED, maxScratch: 2 ** 20 }], 'trusted', ['trusted']],
  ['less room', bounded, [{ key: BOUNDED, maxScratch: 2 ** 20 - 1 }], 'ask', ['limited']],
  ['room for a task that does not say', ada, [{ key: ADA, maxScratch: 2 ** 50 }], 'ask', ['limited']],
  ['as many bytes', ada, [{ key: ADA, maxBytes: 4096 }], 'trusted', ['trusted']],
  ['fewer bytes', ada, [{ key: ADA, maxBytes: 4095 }], 'ask', ['limited']],
  ['denied, whatever the limits', ada, [{ key: ADA, denied: true, maxBytes: 1 }], 'denied', ['denied']]
]

test('judging', t => {
  for (const [what, task, authors, verdict, standings] of cases) {
    const judged = judgeTask(task, { authors }, NOW)
    t.deepEqual([judged.verdict, judged.signers.map(({ standing }) => standing)], [verdict, standings], what)
    for (const { standing, why } of judged.signers) {
      t.equal(why !== undefined, standing === 'limited', 'a limit has a reason')
    }
  }
  t.deepEqual(judgeTask(ada, { authors: [{ key: ADA, label: 'my Ada' }] }, NOW).signers,
    [{ key: ADA, standing: 'trusted', label: 'my Ada', claimed: 'Ada', time: new Date(0) }], 'both names')
  t.end()
})

const bytes = (authors: KnownAuthor[], task = bounded): number | undefined =>
  judgeTask(task, { authors }, NOW).fileBytes

test('complete commands may write no more than the scope allows', t => {
  t.equal(bytes([{ key: BOUNDED, maxBytes: 2 ** 30 }]), 2 ** 29, 'two files share it')
  t.equal(bytes([{ key: BOUNDED }]), undefined, 'no bound')
  t.equal(bytes([]), undefined, 'nobody is trusted')
  t.equal(bytes([{ key: ADA, maxBytes: 10_000 }], ada), undefined, 'there is no complete command')
  t.end()
})

test('a scope bounds inputs', t => {
  const torrent = { infoHash: 'a'.repeat(40), sha256: new Uint8Array(32) }
  const task = sign(createTask({
    name: 'x',
    command: 'true',
    parts: 2,
    inputs: [
      { name: 'a', data: new Uint8Array(1000) },
      { ...torrent, name: 'b', length: 300 },
      { ...torrent, name: 'c', length: 700, split: { by: 'bytes', size: 350 } }
    ]
  }))
  const verdictOf = (maxInput: number): unknown[] => {
    const { verdict, signers } = judgeTask(task, { authors: [{ key: task.signatures[0]!.publicKey, maxInput }] }, NOW)
    return [verdict, signers[0]?.why]
  }
  t.deepEqual(verdictOf(1000), ['trusted', undefined], 'those in the task file do not count, slices do')
  t.deepEqual(verdictOf(999), ['ask', 'its inputs have 1000 bytes, more than 999'])
  t.end()
})

function outputOf ({ digest, infoHash, length }: Task): TaskInput {
  return { name: 'in', length, task: { digest, infoHash } }
}

test('one scope bounds a task and its earlier tasks together', t => {
  const common = { command: 'true', parts: 1, pieceLength: 1000, timeoutMs: 3_600_000 }
  const data = { name: 'd', infoHash: 'a'.repeat(40), sha256: new Uint8Array(32), length: 100 }
  const first = createTask({ ...common, name: 'first', inputs: [data] })
  const second = createTask({ ...common, name: 'second', completeCommand: 'true', completeTimeoutMs: 0.5 * 3_600_000, inputs: [outputOf(first), data] })
  const last = sign(createTask({ ...common, name: 'last', inputs: [outputOf(second)] }))
  const other = createTask({ ...common, name: 'other' })
  const [key] = last.signatures.map(({ publicKey }) => publicKey) as [string]
  const judged = (scope: Partial<KnownAuthor>): Array<[string, string | undefined, number | undefined]> =>
    judgeTasks([last, first, second, other], { authors: [{ key, ...scope }] }, NOW)
      .map(({ verdict, signers, fileBytes }) => [verdict, signers[0]?.why, fileBytes])
  const unknown = ['ask', undefined, undefined]
  const trusted = ['trusted', undefined, undefined]
  t.deepEqual(judged({}), [trusted, trusted, trusted, unknown], 'the earlier ones, and no others')
  for (const [within, beyond, why] of [
    [{ maxHours: 3.5 }, { maxHours: 3.4 }, 'the 3 tasks that the signature covers may take 3.5 h, more than 3.4'],
    [{ maxInput: 2100 }, { maxInput: 2099 }, 'the inputs of the 3 tasks that the signature covers have 2100 bytes, more than 2099']
  ] as const) {
    t.deepEqual(judged(within), [trusted, trusted, trusted, unknown])
    const asked = ['ask', why, undefined]
    t.deepEqual(judged(beyond), [asked, asked, asked, unknown])
  }
  t.deepEqual(judged({ maxBytes: 3000 }), [trusted, trusted, ['trusted', undefined, 3000], unknown])
  t.equal(judged({ maxBytes: 2999 })[0]?.[1], 'the files of the 3 tasks that the signature covers may have 3000 bytes, more than 2999')
  const late = createTask({ name: 'late', command: 'true', parts: 1, inputs: [outputOf(last)] })
  t.deepEqual(judgeTasks([late, last], { authors: [{ key }] }, NOW).map(({ verdict }) => verdict), ['ask', 'trusted'],
    'who signed an earlier task does not vouch for what is made of it')
  t.end()
})

test('a GPU must be covered by the trust', t => {
  const task = sign(createTask({ name: 'x', command: 'true', parts: 1, needs: { gpu: true } }))
  const [key] = task.signatures.map(({ publicKey }) => publicKey) as [string]
  for (const [author, verdict, why] of [
    [{ key }, 'ask', 'it uses a GPU, which this trust does not cover'],
    [{ key, gpu: false }, 'ask', 'it uses a GPU, which this trust does not cover'],
    [{ key, gpu: true }, 'trusted', undefined]
  ] as const) {
    const judged = judgeTask(task, { authors: [author] }, NOW)
    t.deepEqual([judged.verdict, judged.signers[0]?.why], [verdict, why])
  }
  t.end()
})

test('a task object whose signature is of another task', t => {
  const forged = { ...createTask({ name: 'x', command: 'rm -rf /', parts: 1 }), signatures: ada.signatures }
  isRefused(t, 'forged', 'BW_ERR_TASK_SIGNATURE', () => judgeTask(forged, { authors: [{ key: ADA }] }, NOW))
  t.end()
})

const of = (author: object): string => JSON.stringify({ version: 1, authors: [author] })

test('the trust list as text', t => {
  const authors: KnownAuthor[] = [
    { key: ADA, label: 'Ada', expires: NOW, maxHours: 2, maxBytes: 3, maxInput: 6, maxMemory: 4, maxScratch: 5, gpu: true },
    { key: BEN, denied: true }
  ]
  t.deepEqual(parseTrustStore(formatTrustStore({ authors })), { authors }, 'written and read')
  t.deepEqual(parseTrustStore(formatTrustStore({ authors: [] })), { authors: [] })
  for (const [what, text] of [
    ['empty', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['no version', '{"authors":[]}'],
    ['a newer version', '{"version":2,"authors":[]}'],
    ['no authors', '{"version":1}'],
    ['authors that are none', '{"version":1,"authors":[1]}'],
    ['something else, too', '{"version":1,"authors":[],"x":1}'],
    ['a restriction of a later version', of({ key: ADA, onlyOnSundays: true })],
    ['a GPU that is a number', of({ key: ADA, gpu: 1 })],
    ['no key', of({})],
    ['a key in capitals', of({ key: ADA.toUpperCase() })],
    ['a small key', of({ key: `01${'0'.repeat(62)}` })],
    ['a label that is none', of({ key: ADA, label: 1 })],
    ['no date', of({ key: ADA, expires: 'soon' })],
    ['a date as a number', of({ key: ADA, expires: 1 })],
    ['hours as text', of({ key: ADA, maxHours: '1' })],
    ['negative bytes', of({ key: ADA, maxBytes: -1 })],
    ['memory as text', of({ key: ADA, maxMemory: '1G' })],
    ['denied?', of({ key: ADA, denied: 'no' })],
    ['a key twice', JSON.stringify({ version: 1, authors: [{ key: ADA }, { key: ADA, denied: true }] })]
  ] as const)
    isRefused(t, what, 'BW_ERR_TRUST_STORE', () => parseTrustStore(text))
  t.end()
})
