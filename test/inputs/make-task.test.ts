// Tasks with what they read: from files, folders, torrents and lists.
import { createHash } from 'node:crypto'
import { appendFile, chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import { createTaskFrom } from '../../lib/index.ts'
import type { BitWorkerError, CreateTaskFromOptions, InputSource, Task, TorrentInput } from '../../lib/index.ts'
import { pieceLengthOf } from '../../lib/base/piece-hashes.ts'
import { lookIn } from '../../lib/inputs/look.ts'
import { readMetainfo, torrentFileOf } from '../../lib/inputs/metainfo.ts'
import { findInput } from '../../lib/inputs/registry.ts'
import { rangeFromTable, rangeOf, sliceEnv, tableRange } from '../../lib/inputs/slices.ts'

interface Place {
  dir: string
  registry: string
  at: (...parts: string[]) => string
  make: (inputs: InputSource[], opts?: Partial<CreateTaskFromOptions>) => Promise<Task>
}

async function place (t: Test): Promise<Place> {
  const dir = await mkdtemp(path.join(tmpdir(), 'bitworker-inputs-'))
  t.teardown(async () => { await rm(dir, { recursive: true, force: true }) })
  const registry = path.join(dir, 'registry')
  return {
    dir,
    registry,
    at: (...parts) => path.join(dir, ...parts),
    make: async (inputs, opts = {}) => await createTaskFrom({ name: 'x', command: 'true', inputs, registry, ...opts })
  }
}

async function problem (promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'not refused', (error: BitWorkerError) => `${error.code.replace('BW_ERR_', '')} ${error.blame}: ${error.message}`
  )
}

const large = (byte: number): Uint8Array => new Uint8Array(70_000).fill(byte)
const torrentOf = (task: Task, index = 0): TorrentInput => {
  const input = task.inputs?.[index]
  if (input?.infoHash === undefined) throw new Error('no torrent')
  return input
}

test('the length of torrent pieces', t => {
  const KIB = 1024
  for (const [length, expected] of [
    [1, 16], [32 * KIB, 16], [32 * KIB + 1 / KIB, 32], [64 * KIB, 32], [8 * KIB * KIB, 4 * KIB], [2 ** 30, 16 * KIB]
  ] as const) t.equal(pieceLengthOf(length * KIB), expected * KIB, `${length} KiB`)
  t.end()
})

test('small files are embedded, the smallest first; others are torrents', async t => {
  const { at, make } = await place(t)
  await writeFile(at('a.sh'), 'echo a\n')
  await writeFile(at('b'), new Uint8Array(40_000))
  await writeFile(at('c'), new Uint8Array(41_000))
  await mkdir(at('d'))
  await writeFile(at('d', 'tiny'), 'x')
  const task = await make(
    [{ path: at('c') }, { path: at('b'), name: 'bb' }, { path: at('a.sh') }, { path: at('d') }], { parts: 2 }
  )
  t.deepEqual(
    task.inputs?.map(({ name, length, data, infoHash }) => [name, length, data !== undefined, infoHash !== undefined]),
    [['c', 41_000, false, true], ['bb', 40_000, true, false], ['a.sh', 7, true, false], ['d', 1, false, true]]
  )
  t.deepEqual(task.inputs?.[2]?.data, new Uint8Array(Buffer.from('echo a\n')))
})

test('a folder: the same files, the same info-hash', async t => {
  const { dir, registry, at, make } = await place(t)
  const build = async (folder: string, order: string[]): Promise<string> => {
    for (const name of order) {
      await mkdir(path.dirname(at(folder, name)), { recursive: true })
      await writeFile(at(folder, name), name === 'empty' ? '' : large(name.length))
    }
    await chmod(at(folder, 'run'), 0o755)
    return at(folder)
  }
  const names = ['run', 'a/b/c', 'a-b', 'Z', 'é', 'empty']
  const one = await make([{ path: await build('one', names), name: 'tables' }], { parts: 1 })
  const two = await make([{ path: await build('two', names.toReversed()), name: 'tables' }], { parts: 1 })
  const input = torrentOf(one)
  t.equal(torrentOf(two).infoHash, input.infoHash)
  t.deepEqual([input.length, input.files], [5 * 70_000, 6])
  const made = await findInput(input.infoHash, registry)
  t.equal(made?.path, at('two'), 'the last one is remembered')
  const layout = readMetainfo(made!.info, input, 1)
  t.deepEqual(
    layout.files.map(file => [file.path, file.executable]),
    [['Z', false], ['a-b', false], ['a/b/c', false], ['empty', false], ['run', true], ['é', false]],
    'in the order of their bytes, programs marked'
  )
  t.deepEqual(made?.files.map(({ length }) => length), layout.files.map(({ length }) => length))
  const bytes = Buffer.concat([3, 1, 3, 5, 1].map((_, i) => large([1, 3, 5, 3, 1][i]!)))
  const pieces = Array.from({ length: Math.ceil(bytes.length / 16_384) }, (_, i) =>
    createHash('sha1').update(bytes.subarray(i * 16_384, (i + 1) * 16_384)).digest('binary'))
  t.ok(Buffer.from(made!.info).includes(Buffer.from(pieces.join(''), 'latin1')), 'the hashes of its pieces')
  t.notOk(Buffer.from(made!.info).includes('private'))
  const alone = await make([{ path: at('one'), name: 'tables' }], { parts: 1, private: true, announce: ['http://127.0.0.1:1/'] })
  t.notEqual(torrentOf(alone).infoHash, input.infoHash, 'private as the task')
  t.deepEqual((await readdir(dir)).toSorted(), ['one', 'registry', 'two'], 'nothing else was written')
})

test('files that cannot be inputs', async t => {
  const { at, make } = await place(t)
  const refuse = async (what: string, name: string, expected: RegExp, opts: { perPart?: true } = {}): Promise<void> => {
    t.match(await problem(make([{ path: at(name), ...opts }], { parts: 3 })), expected, what)
  }
  await writeFile(at('secret'), 'x')
  for (const folder of ['out', 'loop', 'dangling', 'case', 'empty', 'bad', 'in/sub']) await mkdir(at(folder), { recursive: true })
  await symlink('../secret', at('out', 'a'))
  await symlink('..', at('loop', 'up'))
  await symlink('.', at('loop', 'self'))
  await symlink('nowhere', at('dangling', 'a'))
  await writeFile(at('case', 'a'), 'x')
  await writeFile(at('case', 'A'), 'x')
  await writeFile(at('bad', 'a:b'), 'x')
  await writeFile(at('nothing'), '')
  await refuse('missing', 'none', /^NOT_FOUND usage: ".*none" does not exist/)
  await refuse('a link that leads out', 'out', /^INPUT_SOURCE usage: .*leads out of the input/)
  await rm(at('loop', 'up'))
  await refuse('a link to itself', 'loop', /^INPUT_SOURCE usage: .*a folder that contains it/)
  await refuse('a link to nowhere', 'dangling', /^NOT_FOUND usage: .*dangling\/a" does not exist, or is a symbolic link that leads nowhere/)
  await refuse('names that are one on some disks', 'case', /^INPUT_SOURCE usage: .*same file/)
  await refuse('a name that not everybody can have', 'bad', /^INPUT_SOURCE usage: .*"a:b" contains/)
  await refuse('an empty folder', 'empty', /^INPUT_SOURCE usage: The input ".*empty" is empty/)
  await refuse('an empty file', 'nothing', /^INPUT_SOURCE usage: .*is empty/)
  t.match(await problem(make([{ path: '/dev/zero' }], { parts: 1 })), /neither a file nor a folder/)
  await writeFile(Buffer.concat([Buffer.from(at('in', 'sub')), Buffer.from([0x2f, 0xff])]), 'x')
  await refuse('a name that is not UTF-8', 'in', /^INPUT_SOURCE usage: .*not UTF-8/)
  await refuse('bytes that cannot be cut', 'secret', /^INPUT_SOURCE usage: .*has 1 bytes, which cannot be cut into 3 slices/, { perPart: true })
  t.match(await problem(createTaskFrom({ name: 'x', command: 'true', parts: 1, inputs: 1 as unknown as [] })), /^TASK_OPTIONS usage/)
})

test('links inside a folder are kept', async t => {
  const { dir, at, make, registry } = await place(t)
  for (const folder of ['d/real', 'd/none', 'd/sub/deep']) await mkdir(at(folder), { recursive: true })
  await writeFile(at('d/real/f'), large(1))
  const links = {
    also: 'real', 'real/g': 'f', g: 'real/g', 'by-link': 'also/f', 'sub/deep/up': '../../real/./f', 'sub/abs': at('d/real/f'), 'sub/back': '../../d/also', 'sub/out': '../../away', nothing: 'none'
  }
  for (const [name, target] of Object.entries(links)) await symlink(target, at('d', name))
  await symlink('d/real/f', at('away'))
  const task = await make([{ path: at('d') }], { parts: 1 })
  const input = torrentOf(task)
  t.deepEqual([input.length, input.files], [large(1).length, 1])
  const made = await findInput(input.infoHash, registry)
  const layout = readMetainfo(made!.info, input, 1)
  t.deepEqual(layout.links.map(each => [each.path, each.target]), [
    ['also', 'real'], ['by-link', 'real/f'], ['g', 'real/g'], ['real/g', 'real/f'], ['sub/abs', 'real/f'],
    ['sub/back', 'also'], ['sub/deep/up', 'real/f'], ['sub/out', 'real/f']
  ])
  t.notOk(Buffer.from(made!.info).includes(dir), 'the path of the folder is not told')
  t.equal((await lookIn([at('d')])(input.infoHash))?.path, at('d'), 'found again')
  const again = await make([{ torrent: torrentFileOf(made!.info), name: 'd' }], { parts: 1 })
  t.deepEqual(again.inputs, task.inputs, 'a torrent that exists is read in the same way')
})

test('links that cannot be kept', async t => {
  const { at, make } = await place(t)
  for (const folder of ['d/a', 'd/b']) await mkdir(at(folder), { recursive: true })
  await writeFile(at('d/b/f'), 'x')
  await symlink('../b', at('d/a/to-b'))
  await symlink('../a', at('d/b/to-a'))
  t.match(await problem(make([{ path: at('d') }], { parts: 1 })), /^INPUT_SOURCE usage: The input ".*d" has a symbolic link that cannot be kept: "[ab]" has links to folders that lead round in circles/)
  await rm(at('d/b/to-a'))
  await symlink('a:b', at('d/b/ok'))
  await writeFile(at('d/b/a:b'), 'x')
  t.match(await problem(make([{ path: at('d') }], { parts: 1 })), /^INPUT_SOURCE usage: .*"a:b" contains/)
  await rm(at('d/b/a:b'))
  await rm(at('d/b/ok'))
  await symlink('f', at('d/b/f:g'))
  t.match(await problem(make([{ path: at('d') }], { parts: 1 })), /^INPUT_SOURCE usage: .*"f:g" contains/)
  await rm(at('d/b/f:g'))
  await symlink('other', at('d/b/one'))
  await symlink('one', at('d/b/other'))
  t.match(await problem(make([{ path: at('d') }], { parts: 1 })), /^INPUT_SOURCE usage: .*d\/b\/o(?:ne|ther)" is a symbolic link that leads round in circles\.$/)
})

test('links inside a folder are followed where each file is one piece', async t => {
  const { at, make, registry } = await place(t)
  await mkdir(at('d', 'real'), { recursive: true })
  await writeFile(at('d', 'real', 'f'), large(1))
  await symlink('real', at('d', 'also'))
  await symlink('real/f', at('d', 'g'))
  const task = await make([{ path: at('d'), perPart: true }])
  const made = await findInput(torrentOf(task).infoHash, registry)
  const layout = readMetainfo(made!.info, torrentOf(task), 3)
  t.deepEqual([layout.files.map(file => file.path), layout.links], [['also/f', 'g', 'real/f'], []])
  t.equal((await lookIn([at('d')])(torrentOf(task).infoHash))?.path, at('d'), 'found again')
})

test('a file that is changed while it is read', async t => {
  const { at, make } = await place(t)
  await writeFile(at('log'), new Uint8Array(8 * 2 ** 20))
  let writing: Promise<void> | undefined
  const making = make([{ path: at('log') }], { parts: 1, onProgress: () => { writing ??= appendFile(at('log'), 'more') } })
  t.match(await problem(making), /^INPUT_SOURCE usage: .*was changed while it was read/)
  await writing
})

test('progress, and giving up', async t => {
  const { at, make } = await place(t)
  await writeFile(at('film'), new Uint8Array(5 * 2 ** 20))
  const said: number[][] = []
  const stop = new AbortController()
  await make([{ path: at('film') }], { parts: 1, onProgress: (done, total) => { said.push([done, total]) } })
  t.deepEqual(said.at(-1), [5 * 2 ** 20, 5 * 2 ** 20])
  t.ok(said.length >= 5, `${said.length} times`)
  const making = make([{ path: at('film') }], { parts: 1, signal: stop.signal, onProgress: () => { stop.abort(new Error('enough')) } })
  t.equal(await making.then(() => 'done', (error: Error) => error.message), 'enough')
})

test('split: the files of a folder, the slices of a file', async t => {
  const { at, make, registry } = await place(t)
  await mkdir(at('frames'))
  for (const name of ['1.png', '10.png', '2.png']) await writeFile(at('frames', name), large(1))
  const frames = await make([{ path: at('frames'), perPart: true }])
  t.deepEqual([frames.pieceCount, torrentOf(frames).split], [3, { by: 'files' }], 'parts may be left out')
  const layout = readMetainfo((await findInput(torrentOf(frames).infoHash, registry))!.info, torrentOf(frames), 3)
  t.equal(layout.files[rangeOf(torrentOf(frames), layout, 1)!.file]!.path, '10.png')
  t.match(await problem(make([{ path: at('frames'), perPart: true }], { parts: 4 })), /^TASK_OPTIONS usage: .*makes 3 pieces, not 4\. Leave out/)
  t.match(await problem(make([{ path: at('frames'), perPart: { slice: 5 } }])), /split by files, not into slices/)

  const film = at('frames', '1.png')
  const slices = await make([{ path: film, perPart: { slice: 30_000 } }])
  t.deepEqual([slices.pieceCount, torrentOf(slices).split], [3, { by: 'bytes', size: 30_000 }])
  t.deepEqual(torrentOf(await make([{ path: film, perPart: true }], { parts: 4 })).split, { by: 'bytes', size: 17_500 })
  t.match(await problem(make([{ path: film, perPart: true }])), /either the number of pieces or the size of a slice is needed/)
  const files = await make([{ path: film, perPart: { slice: 35_000 } }], { files: [{ path: 'a', parts: 1 }, { path: 'b', parts: 1 }] })
  t.equal(files.pieceCount, 2, 'files of the task as well')
})

test('torrents that exist', async t => {
  const { make } = await place(t)
  const info = { files: [{ length: 20, path: ['a'] }, { length: 12, path: ['b'] }], name: 'set', 'piece length': 16, pieces: 'x'.repeat(40) }
  const torrent = encode({ announce: 'http://127.0.0.1:1/', info })
  const task = await make([{ torrent, name: 'set', perPart: true }])
  t.deepEqual(task.inputs, [{
    name: 'set',
    length: 32,
    infoHash: createHash('sha1').update(encode(info)).digest('hex'),
    sha256: new Uint8Array(createHash('sha256').update(encode(info)).digest()),
    files: 2,
    split: { by: 'files' }
  }])
  t.equal(task.pieceCount, 2)
  t.match(await problem(make([{ torrent: new Uint8Array(3), name: 'set' }], { parts: 1 })), /^INPUT_SOURCE usage: .*is not a torrent file/)
  t.match(await problem(make([{ torrent: encode({ info: { ...info, pieces: '' } }), name: 'set' }], { parts: 1 })), /^INPUT input: .*one hash for each/)
})

test('lists: small ones in the task file, large ones as a torrent', async t => {
  const { make, registry } = await place(t)
  const small = await make([{ list: { columns: ['lr'], rows: [['0.1'], ['0.2']] } }])
  t.deepEqual([small.pieceCount, small.inputs?.[0]?.name, small.inputs?.[0]?.data?.length], [2, 'entries', 8])
  const count = 20_000
  const lines = Buffer.from(Array.from({ length: count }, (_, i) => `entry ${i}\n`).join(''))
  const task = await make([{ lines, name: 'words' }])
  const input = torrentOf(task)
  t.deepEqual([task.pieceCount, input.name, input.files, input.split], [count, 'words', 2, { by: 'table', chunk: 1, columns: [] }])
  const made = await findInput(input.infoHash, registry)
  const layout = readMetainfo(made!.info, input, count)
  const [data, table] = await Promise.all(['data', 'slices'].map(async name => new Uint8Array(await readFile(path.join(made!.path, name)))))
  const place1234 = tableRange(layout, 1234)
  const range = rangeFromTable(input, layout, table!.subarray(place1234.start, place1234.end))
  t.deepEqual(sliceEnv(input, data!.subarray(range.start, range.end)), { ENTRY: 'entry 1234' })
  t.equal((await stat(path.dirname(made!.path))).mode & 0o077, 0, 'for nobody else')
  const again = await make([{ lines, name: 'words' }])
  t.equal(torrentOf(again).infoHash, input.infoHash, 'made again')
  t.deepEqual(await readdir(registry), [input.infoHash], 'kept once')
})

test('property of the info dictionary: a list of a million lines takes some hundred bytes', async t => {
  const { make } = await place(t)
  const lines = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => `parameters of number ${i}\n`).join(''))
  const start = performance.now()
  const task = await make([{ lines, name: 'words' }])
  t.comment(`${Math.round(performance.now() - start)} ms`)
  t.equal(task.pieceCount, 1_000_000)
  t.ok(task.info.length <= 4096, `${task.info.length} bytes`)
})
