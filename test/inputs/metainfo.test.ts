// The info dictionaries of input torrents: what is read of them, and what is refused.
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import test from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { readLayout, readMetainfo } from '../../lib/inputs/metainfo.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import type { TorrentInput } from '../../lib/task/types.ts'

type Dict = Record<string, Encodable | undefined>

const single = (changes: Dict = {}): Uint8Array =>
  encode({ length: 40, name: 'film.mkv', 'piece length': 16, pieces: 'x'.repeat(60), ...changes })
const folder = (files: Encodable, changes: Dict = {}): Uint8Array =>
  encode({ files, name: 'd', 'piece length': 16, pieces: 'x'.repeat(60), ...changes })
const FILES = [{ length: 20, path: ['a', 'b'] }, { attr: 'x', length: 0, path: ['run'] }, { length: 20, path: ['z'] }]

function inputOf (info: Uint8Array, changes: Partial<TorrentInput> = {}): TorrentInput {
  return {
    name: 'i',
    length: 40,
    infoHash: createHash('sha1').update(info).digest('hex'),
    sha256: createHash('sha256').update(info).digest(),
    ...changes
  }
}

function problem (run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof BitWorkerError && error.code === 'BW_ERR_INPUT') return error.message
    throw error
  }
}

test('layouts', t => {
  const file = { path: '', length: 40, offset: 0, executable: false }
  const expected: InputLayout = { pieceLength: 16, torrentLength: 40, length: 40, isFolder: false, files: [file] }
  t.deepEqual(readLayout(single(), 'i'), expected, 'a file')
  t.deepEqual(readLayout(single({ attr: 'x', name: '../..' }), 'i'), { ...expected, files: [{ ...file, executable: true }] }, 'a program, whose name in the torrent is nothing to us')
  t.deepEqual(readLayout(folder(FILES), 'i'), {
    ...expected,
    isFolder: true,
    files: [
      { path: 'a/b', length: 20, offset: 0, executable: false },
      { path: 'run', length: 0, offset: 20, executable: true },
      { path: 'z', length: 20, offset: 20, executable: false }
    ]
  }, 'a folder')
  t.deepEqual(
    readLayout(folder([{ length: 10, path: ['a'] }, { attr: 'p', length: 6, path: ['.pad', '6'] }, { length: 10, path: ['b'] }, { attr: 'p', length: 6, path: ['.pad', '6'] }], { pieces: 'x'.repeat(40), 'meta version': 2, 'file tree': {} }), 'i'),
    {
      pieceLength: 16,
      torrentLength: 32,
      length: 20,
      isFolder: true,
      files: [
        { path: 'a', length: 10, offset: 0, executable: false }, { path: 'b', length: 10, offset: 16, executable: false }
      ]
    },
    'a hybrid torrent, with padding'
  )
  t.end()
})

const BAD: Array<[what: string, info: Uint8Array]> = [
  ['nothing', new Uint8Array()],
  ['a list', encode([])],
  ['bytes after the end', Buffer.concat([single(), Buffer.from('\n')])],
  ['more than 10 MiB', new Uint8Array(10 * 2 ** 20 + 1)],
  ['too many values', folder(Array.from({ length: 200_000 }, () => ({ length: 1, path: ['a'] })))],
  ...[undefined, 0, -1, 2 ** 25 + 1, '5'].map((value): [string, Uint8Array] => [`the piece length ${inspect(value)}`, single({ 'piece length': value })]),
  ...[undefined, -1, 2 ** 50 + 1, '5', 0].map((length): [string, Uint8Array] => [`the length ${inspect(length)}`, single({ length })]),
  ...[undefined, 60, '', 'x'.repeat(40), 'x'.repeat(59), 'x'.repeat(80)].map((pieces): [string, Uint8Array] => [`the pieces ${inspect(pieces)}`, single({ pieces })]),
  ['2^20 + 1 pieces', single({ length: 2 ** 20 + 1, 'piece length': 1, pieces: 'x'.repeat(20 * (2 ** 20 + 1)).slice(0, 9e6) })],
  ['2^50 pieces', single({ length: 2 ** 50, 'piece length': 1 })],
  ['more than 2^50 bytes together', folder([{ length: 2 ** 50, path: ['a'] }, { length: 2 ** 50, path: ['b'] }])],
  ['length and files', folder(FILES, { length: 40 })],
  ...['', {}, [], [1], [{}], [{ length: 40 }], [{ length: 40, path: 'a' }], [{ length: 40, path: [] }], [{ path: ['a'] }]]
    .map((files): [string, Uint8Array] => [`the files ${inspect(files)}`, folder(files)]),
  ...[['..'], ['a', '..', 'b'], [''], ['a/b'], ['/a'], ['a\\b'], ['a\0'], [1], ['nul'], [new Uint8Array([0xff])], ['.bitworker']]
    .map((path): [string, Uint8Array] => [`the path ${inspect(path)}`, folder([{ length: 40, path }])]),
  ['a file twice', folder([{ length: 20, path: ['a'] }, { length: 20, path: ['A'] }])],
  ['a file that is a folder', folder([{ length: 20, path: ['a'] }, { length: 20, path: ['a', 'b'] }])],
  ['a symbolic link', folder([{ attr: 'l', length: 40, path: ['a'], 'symlink path': ['etc'] }])],
  ['where a link leads', folder([{ length: 40, path: ['a'], 'symlink path': ['etc'] }])],
  ['attributes that are no text', folder([{ attr: 1, length: 40, path: ['a'] }])],
  ['a file that is a link', single({ attr: 'l' })],
  ['nothing but padding', folder([{ attr: 'p', length: 40, path: ['.pad', '40'] }])],
  ['100 001 files', folder(Array.from({ length: 100_001 }, (_, i) => ({ length: 0, path: [`${i}`] })), { pieces: '' })]
]

test('metadata that is refused', t => {
  for (const [what, info] of BAD) {
    const message = problem(() => readMetainfo(info, inputOf(info), 1))
    t.match(message ?? '', /^The (?:torrent of the )?input "i" .*, so it is not used\.$/, what)
    t.doesNotMatch(message ?? '', /[\p{Cc}\p{Bidi_Control}]/u)
  }
  t.end()
})

test('torrents that do not match the task', t => {
  const info = single()
  t.equal(problem(() => readMetainfo(info, inputOf(info), 1)), null)
  t.match(problem(() => readMetainfo(info, inputOf(info, { infoHash: 'ab'.repeat(20) }), 1)) ?? '', /does not match the task/, 'info-hash')
  t.match(problem(() => readMetainfo(info, inputOf(info, { sha256: new Uint8Array(32) }), 1)) ?? '', /does not match the task/, 'SHA-256')
  t.match(problem(() => readMetainfo(info, inputOf(info, { length: 41 }), 1)) ?? '', /has 40 bytes, but the task says 41/, 'length')
  t.match(problem(() => readMetainfo(info, inputOf(info, { files: 1 }), 1)) ?? '', /is a single file, but the task says a folder of 1 file,/, 'kind')
  const some = folder(FILES)
  t.equal(problem(() => readMetainfo(some, inputOf(some, { files: 3 }), 1)), null)
  t.match(problem(() => readMetainfo(some, inputOf(some, { files: 2 }), 1)) ?? '', /is a folder of 3 files, but the task says a folder of 2 files/, 'number')
  t.end()
})

test('lists', t => {
  const split = { by: 'table', chunk: 1, columns: [] } as const
  const list = (first: string, second: string, table = 16): string | null => {
    const info = folder([{ length: 40 - table, path: [first] }, { length: table, path: [second] }])
    return problem(() => readMetainfo(info, inputOf(info, { files: 2, split }), 1))
  }
  t.equal(list('data', 'slices'), null)
  t.match(list('slices', 'data') ?? '', /is not a list of 1 slices/, 'the wrong order')
  t.match(list('data', 'Slices') ?? '', /is not a list of 1 slices/, 'another name')
  t.match(list('data', 'slices', 24) ?? '', /is not a list of 1 slices/, 'another number')
  t.end()
})
