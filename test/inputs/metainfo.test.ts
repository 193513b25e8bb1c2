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
  const expected: InputLayout = {
    pieceLength: 16, torrentLength: 40, length: 40, isFolder: false, files: [file], links: []
  }
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
      ],
      links: []
    },
    'a hybrid torrent, with padding'
  )
  t.end()
})

const link = (at: string, to: string, changes: Dict = {}): Dict =>
  ({ attr: 'l', length: 0, path: at.split('/'), 'symlink path': to.split('/'), ...changes })

test('symbolic links', t => {
  const entries = [
    link('latest', 'v/2'), link('lib.so', 'lib.so.1'), link('lib.so.1', 'v/2/lib'), link('only/link', 'z'), link('other', 'only'),
    { length: 20, path: ['v', '2', 'lib'] }, { length: 20, path: ['z'] }
  ]
  const info = folder(entries)
  const { files, links, length } = readMetainfo(info, inputOf(info, { files: 2 }), 1)
  t.deepEqual([files.map(file => file.path), length], [['v/2/lib', 'z'], 40], 'are not among the files')
  t.deepEqual(links.map(({ path, target }) => [path, target]), [
    ['latest', 'v/2'], ['lib.so', 'lib.so.1'], ['lib.so.1', 'v/2/lib'], ['only/link', 'z'], ['other', 'only']
  ])
  const inARow = (count: number): string | null => {
    const chain = Array.from({ length: count }, (_, i) => link(`l${i}`, i === 0 ? 'z' : `l${i - 1}`))
    const some = folder([...FILES, ...chain])
    return problem(() => readMetainfo(some, inputOf(some, { files: 3 }), 1))
  }
  t.equal(inARow(8), null)
  t.match(inARow(9) ?? '', /"l8" leads round in circles, or through more than 8 links/)
  const nested = (count: number): string | null => {
    const chain = Array.from({ length: count }, (_, i) => link(`d${i}/l`, i === 0 ? 'a' : `d${i - 1}`))
    const some = folder([...FILES, ...chain])
    return problem(() => readMetainfo(some, inputOf(some, { files: 3 }), 1))
  }
  t.equal(nested(8), null)
  t.match(nested(9) ?? '', /links to folders that lead round in circles, or through more than 8 links/)
  const many = folder([...FILES, ...Array.from({ length: 50_000 }, (_, i) => link(`m/${i}`, 'a'))])
  t.equal(problem(() => readMetainfo(many, inputOf(many, { files: 3 }), 1)), null, 'many to a folder')
  t.end()
})

/** Beside FILES. */
const LINKS: Array<[what: string, links: Dict[]]> = [
  ['a link out', [link('l', '..')]],
  ['a link out, by way of a folder', [link('l', 'a/../..')]],
  ['a link with a way back', [link('l', 'a/../z')]],
  ['a link with a slash', [link('l', '', { 'symlink path': ['a/b'] })]],
  ['a link to an absolute path', [link('l', '/etc/passwd')]],
  ['a link to an absolute path as one component', [link('l', '', { 'symlink path': ['/etc/passwd'] })]],
  ['a link to the folder itself', [link('l', '', { 'symlink path': [] })]],
  ['a link to the folder itself, by its name', [link('l', '.')]],
  ['a link to nothing', [link('l', 'none')]],
  ['a link to what only differs in case', [link('l', 'Z')]],
  ['a link below a file', [link('l', 'z/b')]],
  ['a link below a link', [link('l', 'a'), link('m', 'l/b')]],
  ['a link to itself', [link('l', 'l')]],
  ['links to each other', [link('l', 'm'), link('m', 'l')]],
  ['a link to the folder that it is in', [link('a/l', 'a')]],
  ['a link to a folder above it', [link('c/d/l', 'c')]],
  ['links to the folders of each other', [link('c/l', 'd'), link('d/e/l', 'c')]],
  ['links to the folders of each other, by another', [link('c/l', 'k'), link('k', 'd'), link('d/l', 'c')]],
  ['a file below a link', [link('l', 'a'), { length: 0, path: ['l', 'c'] }]],
  ['a link below a link to a folder', [link('l', 'a'), link('l/c', 'z')]],
  ['a link in the place of a file', [link('z', 'run')]],
  ['a link in the place of a file on some disks', [link('Z', 'run')]],
  ['a link with a bad name', [link('l', 'z', { path: ['..', 'l'] })]],
  ['a link with an absolute name', [link('l', 'z', { path: ['/tmp/l'] })]],
  ['a link that leads nowhere', [link('l', '', { 'symlink path': undefined })]],
  ['a link whose target is no list', [link('l', '', { 'symlink path': 'z' })]],
  ['a link whose target is no text', [link('l', '', { 'symlink path': [new Uint8Array([0xff])] })]],
  ['a link whose target is a number', [link('l', '', { 'symlink path': [1] })]],
  ['a link that is padding', [link('l', 'z', { attr: 'lp' })]]
]

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
  ...LINKS.map(([what, links]): [string, Uint8Array] => [what, folder([...FILES, ...links])]),
  ['a link with bytes', folder([{ length: 20, path: ['z'] }, { attr: 'l', length: 20, path: ['a'], 'symlink path': ['z'] }])],
  ['nothing but a link', folder([link('a', 'a')], { pieces: '' })],
  ['where a link leads', folder([{ length: 40, path: ['a'], 'symlink path': ['etc'] }])],
  ['attributes that are no text', folder([{ attr: 1, length: 40, path: ['a'] }])],
  ['a file that is a link', single({ attr: 'l' })],
  ['nothing but padding', folder([{ attr: 'p', length: 40, path: ['.pad', '40'] }])],
  ['100 001 links', folder(Array.from({ length: 100_001 }, (_, i) => link(`${i}`, 'z')))],
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
