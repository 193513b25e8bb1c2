// Inputs of a task: what an entry may say, what must be refused, and what is written.
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { createTask, encodeTask, parseTask, workItemEnv } from '../../lib/task/task.ts'
import type { CreateTaskOptions, Task, TaskInput } from '../../lib/task/task.ts'

type Dict = Record<string, Encodable | undefined>

const PIECES = 4
const HASH = '3f786850e387550fdab836ed7e6dc881de23001b'
const hash = new Uint8Array(Buffer.from(HASH, 'hex'))
const sha256 = new Uint8Array(32).fill(7)
const torrent: Dict = { name: 't', length: 100, 'info hash': hash, sha256 }
const list: Dict = { name: 'l', data: 'aabbccdd', slices: table(0, 2, 4, 6, 8), split: 'table' }
const oneFile = { digest: sha256, 'info hash': hash }
const output: Dict = { name: 'o', length: 9, task: oneFile }

function table (...offsets: number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(offsets.length * 8))
  for (const [i, offset] of offsets.entries()) bytes.setBigUint64(i * 8, BigInt(offset))
  return new Uint8Array(bytes.buffer)
}

function parse (inputs: Encodable | undefined, bitworker: Dict = {}): Task {
  return parseTask(encode({
    info: {
      bitworker: { command: 'true', inputs, version: 2, ...bitworker },
      length: 4 * PIECES,
      name: 'x',
      'piece length': 4
    }
  }))
}

function isRefused (t: Test, what: string, run: () => unknown, code = 'BW_ERR_TASK_INPUT', blame = 'input'): void {
  try {
    run()
    t.fail(`${what}: not refused`)
  } catch (error) {
    if (!(error instanceof BitWorkerError)) throw error
    t.deepEqual([error.code, error.blame], [code, blame], `${what}: ${error.message}`)
    t.doesNotMatch(error.message, /[\p{Cc}\p{Bidi_Control}]/u, 'one line that any terminal can show')
  }
}

const GOOD: Array<[what: string, entry: Dict, read: TaskInput]> = [
  ['embedded', { name: 'a', data: 'xy' }, { name: 'a', length: 2, data: new Uint8Array([0x78, 0x79]) }],
  ['a file', torrent, { name: 't', length: 100, infoHash: HASH, sha256 }],
  ['a folder', { ...torrent, files: 1 }, { name: 't', length: 100, infoHash: HASH, sha256, files: 1 }],
  ['a file for each piece', { ...torrent, files: PIECES, split: 'files' }, { name: 't', length: 100, infoHash: HASH, sha256, files: PIECES, split: { by: 'files' } }],
  ['slices', { ...torrent, split: 'bytes', slice: 25 }, { name: 't', length: 100, infoHash: HASH, sha256, split: { by: 'bytes', size: 25 } }],
  ['slices, the last shorter', { ...torrent, split: 'bytes', slice: 33 }, { name: 't', length: 100, infoHash: HASH, sha256, split: { by: 'bytes', size: 33 } }],
  ['slices of embedded data', { name: 'a', data: 'wxyz', split: 'bytes', slice: 1 }, { name: 'a', length: 4, data: new Uint8Array(Buffer.from('wxyz')), split: { by: 'bytes', size: 1 } }],
  ['an embedded list', list, { name: 'l', length: 8, data: new Uint8Array(Buffer.from('aabbccdd')), split: { by: 'table', offsets: table(0, 2, 4, 6, 8), chunk: 1, columns: [] } }],
  ['a list with empty entries', { ...list, slices: table(0, 0, 8, 8, 8) }, { name: 'l', length: 8, data: new Uint8Array(Buffer.from('aabbccdd')), split: { by: 'table', offsets: table(0, 0, 8, 8, 8), chunk: 1, columns: [] } }],
  ['a list in a torrent', { ...torrent, files: 2, split: 'table', chunk: 10, columns: ['lr', '_2'] }, { name: 't', length: 100, infoHash: HASH, sha256, files: 2, split: { by: 'table', chunk: 10, columns: ['lr', '_2'] } }],
  ['the output of a task', output, { name: 'o', length: 9, task: { digest: sha256, infoHash: HASH } }],
  ['its pieces', { ...output, split: 'pieces' }, { name: 'o', length: 9, task: { digest: sha256, infoHash: HASH }, split: { by: 'pieces' } }],
  ['its files', { ...output, split: 'files' }, { name: 'o', length: 9, task: { digest: sha256, infoHash: HASH }, split: { by: 'files' } }],
  ['one of its files', { ...output, task: { ...oneFile, path: ['a', 'b'] } }, { name: 'o', length: 9, task: { digest: sha256, infoHash: HASH, path: 'a/b' } }]
]

test('good inputs, read and written', t => {
  for (const [what, entry, read] of GOOD) {
    const task = parse([entry])
    t.deepEqual(task.inputs, [read], what)
    const made = createTask({ name: 'x', command: 'true', parts: PIECES, pieceLength: 4, inputs: [read] })
    t.equal(made.infoHash, task.infoHash, 'written as it was read')
    t.deepEqual(parseTask(encodeTask(made)).inputs, [read])
  }
  t.equal(parse(Array.from({ length: 16 }, (_, i) => ({ ...torrent, name: `${i}` }))).inputs?.length, 16, 'sixteen')
  t.equal(parse([{ name: 'a', data: 'x'.repeat(2 ** 18) }]).inputs?.length, 1, '256 KiB')
  t.end()
})

const BAD: Array<[what: string, inputs: Encodable]> = [
  ...[[], {}, 1, 'a', ['a'], [1], [[]]].map((inputs): [string, Encodable] => [inspect(inputs), inputs]),
  ['seventeen', Array.from({ length: 17 }, (_, i) => ({ ...torrent, name: `${i}` }))],
  ...[undefined, 1, '', '.', '..', 'a/b', 'a\n', 'p', 'P', '.bitworker', 'nul', new Uint8Array([0xff]), 'x'.repeat(256)]
    .map((name): [string, Encodable] => [`the name ${inspect(name)}`, [{ ...torrent, name }]]),
  ['the same name', [torrent, torrent]],
  ['the same name but for case', [torrent, { ...torrent, name: 'T' }]],
  ['no source', [{ name: 'a', length: 5 }]],
  ['data and a torrent', [{ ...torrent, data: 'x' }]],
  ['a torrent and a task', [{ ...torrent, task: output['task'] }]],
  ...['', 1, ['x']].map((data): [string, Encodable] => [`the data ${inspect(data)}`, [{ name: 'a', data }]]),
  ['data with a length', [{ name: 'a', data: 'x', length: 1 }]],
  ['data with files', [{ name: 'a', data: 'x', files: 1 }]],
  ['more than 256 KiB', [{ name: 'a', data: 'x'.repeat(2 ** 18 - 1) }, { name: 'b', data: 'xx' }]],
  ['more than 256 KiB with the table', [{ ...list, data: 'x'.repeat(2 ** 18), slices: table(0, 0, 0, 0, 2 ** 18) }]],
  ...[undefined, 0, -1, 2 ** 50 + 1, '5'].map((length): [string, Encodable] => [`the length ${inspect(length)}`, [{ ...torrent, length }]]),
  ...[undefined, '', 1, sha256].map((value): [string, Encodable] => [`the info hash ${inspect(value)}`, [{ ...torrent, 'info hash': value }]]),
  ...[undefined, '', 1, hash].map((value): [string, Encodable] => [`the sha256 ${inspect(value)}`, [{ ...torrent, sha256: value }]]),
  ...[0, -1, 100_001, '5'].map((files): [string, Encodable] => [`${inspect(files)} files`, [{ ...torrent, files }]]),
  ...['', 'lines', 'Files', 1, 'pieces'].map((split): [string, Encodable] => [`the split ${inspect(split)}`, [{ ...torrent, split }]]),
  ['two splits', [{ ...torrent, split: 'bytes', slice: 25 }, { ...torrent, name: 'u', split: 'bytes', slice: 25 }]],
  ['files of a single file', [{ ...torrent, split: 'files' }]],
  ['files of data', [{ name: 'a', data: 'abcd', split: 'files' }]],
  ['too many files', [{ ...torrent, files: PIECES + 1, split: 'files' }]],
  ['no slice', [{ ...torrent, split: 'bytes' }]],
  ...[0, -1, 24, 34, 2 ** 51].map((slice): [string, Encodable] => [`slices of ${slice}`, [{ ...torrent, split: 'bytes', slice }]]),
  ['bytes of a folder', [{ ...torrent, files: 1, split: 'bytes', slice: 25 }]],
  ['a slice of a whole input', [{ ...torrent, slice: 25 }]],
  ['a chunk of bytes', [{ ...torrent, split: 'bytes', slice: 25, chunk: 1 }]],
  ['no table', [{ ...list, slices: undefined }]],
  ['a table without split', [{ ...list, split: undefined }]],
  ['a table beside a torrent', [{ ...torrent, files: 2, split: 'table', slices: table(0, 2, 4, 6, 8) }]],
  ...[
    [0, 2, 4, 8], [0, 2, 4, 6, 7, 8], [1, 2, 4, 6, 8], [0, 4, 2, 6, 8], [0, 2, 4, 6, 7], [0, 2, 4, 6, 9],
    [0, 9, 9, 9, 9]
  ]
    .map((offsets): [string, Encodable] => [`the table ${offsets.join(' ')}`, [{ ...list, slices: table(...offsets) }]]),
  ['a table of torn offsets', [{ ...list, slices: table(0, 2, 4, 6, 8).subarray(1) }]],
  ['a list in one file', [{ ...torrent, split: 'table' }]],
  ['a list in three files', [{ ...torrent, files: 3, split: 'table' }]],
  ['a list that is all table', [{ ...torrent, files: 2, length: 40, split: 'table' }]],
  ...[0, -1, 2 ** 30 + 1, '1'].map((chunk): [string, Encodable] => [`the chunk ${inspect(chunk)}`, [{ ...list, chunk }]]),
  ...[[], 'a', [1], [''], ['1a'], ['a-b'], ['a b'], ['é'], ['a', 'a'], ['x'.repeat(65)], ['PATH'], ['ENTRY'], ['LD_PRELOAD'], ['LC_ALL'],
    ['BASH_ENV'], ['RANDOM'], ['PS4'], ['_'], Array.from({ length: 65 }, (_, i) => `a${i}`)]
    .map((columns): [string, Encodable] => [`the columns ${inspect(columns)}`, [{ ...list, columns }]]),
  ['columns without a list', [{ ...torrent, columns: ['a'] }]],
  ...[1, {}, { digest: sha256 }, { digest: hash, 'info hash': hash }].map((task): [string, Encodable] => [`the task ${inspect(task)}`, [{ ...output, task }]]),
  ...['a', [], [1], ['..'], ['a/b'], ['']].map((path): [string, Encodable] => [`the path ${inspect(path)}`, [{ ...output, task: { ...oneFile, path } }]]),
  ['a file of a task, in pieces', [{ ...output, task: { ...oneFile, path: ['a'] }, split: 'pieces' }]],
  ['the output of a task, in bytes', [{ ...output, split: 'bytes', slice: 3 }]]
]

test('bad inputs', t => {
  for (const [what, inputs] of BAD) isRefused(t, what, () => parse(inputs))
  t.end()
})

test('the root of a task', t => {
  t.equal(parse([torrent], { root: 't' }).root, 't')
  t.equal(parse([torrent]).root, undefined)
  t.deepEqual(parse([torrent], { root: 't', version: 1 }).unsupported, ['the key "inputs"', 'the key "root"'])
  for (const [what, entry, root] of [
    ['no input', torrent, 'x'], ['no text', torrent, new Uint8Array([255])], ['a number', torrent, 1],
    ['a folder', { ...torrent, files: 1 }, 't'], ['split', { ...torrent, split: 'bytes', slice: 25 }, 't'],
    ['embedded', { name: 't', data: 'x' }, 't'], ['the output of a task', { ...output, name: 't' }, 't']
  ] as Array<[string, Dict, Encodable]>) isRefused(t, what, () => parse([entry], { root }))
  isRefused(t, 'without inputs', () => parse(undefined, { root: 't' }))
  const input = { name: 't', length: 100, infoHash: HASH, sha256 }
  const made = createTask({ name: 'x', command: 'true', parts: PIECES, pieceLength: 4, inputs: [input], root: 't' })
  t.equal(parseTask(encodeTask(made)).root, 't')
  t.end()
})

test('an unknown key of an input means: do not compute', t => {
  for (const [what, inputs] of [
    ['in an entry', [{ ...torrent, mode: 1 }]],
    ['in its task', [{ ...output, task: { ...oneFile, mode: 1 } }]]
  ] as const) {
    const task = parse(inputs)
    t.match(task.unsupported?.join(', ') ?? '', /^the key "mode" of an input$/, what)
    t.throws(() => workItemEnv(task, 0), /does not support what the task needs \(the key/)
  }
  isRefused(t, 'and what is known must be right nevertheless', () => parse([{ ...torrent, mode: 1, sha256: '' }]))
  t.end()
})

test('in version 1 `inputs` is an unknown key', t => {
  const task = parse([torrent], { version: 1 })
  t.deepEqual([task.inputs, task.unsupported], [undefined, ['the key "inputs"']])
  t.equal(parse(1, { version: 1 }).inputs, undefined, 'whatever it is')
  t.end()
})

test('a chunk that was read belongs to the caller', t => {
  const bytes = encode({ info: { bitworker: { command: 'true', inputs: [list], version: 2 }, length: 16, name: 'x', 'piece length': 4 } })
  const task = parseTask(bytes)
  bytes.fill(0)
  t.deepEqual(task.inputs, parse([list]).inputs)
  t.end()
})

const HASHES: Record<string, string> = {
  'squares.bitworker': 'ae3dec806a4d748168d10f9aa34b5251aab566d6',
  'tables.bitworker': 'b4713862857d85b561d9be7bd473fe07af7d855f',
  'signed.bitworker': '8969baba4c862033c2ff7dab3f49abfcf3260666',
  'legacy-squares.rbw': '77cbe66988d9225c8544b29366c1116f4b9c220a',
  'legacy-films.worker': 'b5d679dad9ea7feae9718d198d9b6ffb3a26ab3c'
}

test('tasks without inputs are as they were', t => {
  for (const [name, infoHash] of Object.entries(HASHES)) {
    const bytes = new Uint8Array(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)))
    const task = parseTask(bytes)
    t.equal(task.infoHash, infoHash, name)
    t.equal(task.inputs, undefined)
    t.equal(task.unsupported, undefined, 'computed')
    if (name.endsWith('.bitworker')) t.deepEqual(encodeTask(task), bytes, 'its bytes')
  }
  const options: CreateTaskOptions = { name: 'x', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 4 }
  t.match(Buffer.from(createTask(options).info).toString('latin1'), /7:versioni1ee/)
  t.match(
    Buffer.from(createTask({ ...options, inputs: [{ name: 'a', data: new Uint8Array(1) }] }).info).toString('latin1'),
    /7:versioni2ee/
  )
  t.end()
})

const make = (inputs: unknown) => (): Task =>
  createTask({ name: 'x', command: 'true', parts: PIECES, inputs: inputs as TaskInput[] })

test('bad inputs of createTask', t => {
  for (const inputs of [1, {}, 'a', [null], [1], [{}], [{ name: 1 }], [{ name: 'a' }], [{ name: 'a', length: 1, task: {} }], [{ name: 'a', data: new Uint8Array(1), split: {} }]]) {
    isRefused(t, inspect(inputs), make(inputs), 'BW_ERR_TASK_OPTIONS', 'usage')
  }
  const input = { name: 'a', length: 5, infoHash: HASH, sha256 }
  for (const wrong of [[], [{ ...input, infoHash: 'xyz' }], [{ ...input, sha256: hash }], [{ ...input, length: 0 }], [{ ...input, split: { by: 'files' } }]]) {
    isRefused(t, inspect(wrong), make(wrong), 'BW_ERR_TASK_INPUT', 'usage')
  }
  t.end()
})
