// The cache of inputs: what a restart trusts, who may use it at a time, what is removed first.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync,
  writeFileSync
} from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { InputCache } from '../../lib/inputs/cache.ts'
import { FileStore, filePath } from '../../lib/inputs/file-store.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import { stampAt } from '../../lib/inputs/stamps.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

const MIB = 2 ** 20
const HASH = 'a'.repeat(40)
const OTHER = 'b'.repeat(40)

/** Three files, one of them empty, and padding after the first. */
const LAYOUT: InputLayout = {
  pieceLength: 8,
  torrentLength: 26,
  length: 20,
  isFolder: true,
  links: [],
  files: [
    { path: 'a', length: 10, offset: 0, executable: false },
    { path: 'd/b', length: 10, offset: 16, executable: false },
    { path: 'empty', length: 0, offset: 26, executable: false }
  ]
}

async function put (store: FileStore, index: number, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    store.put(index, Buffer.from(text, 'latin1'), err => { if (err === null) resolve(); else reject(err) })
  })
}

async function get (store: FileStore, index: number): Promise<string> {
  return new Promise((resolve, reject) => {
    store.get(index, null, (err, bytes) => { if (err === null) resolve(bytes!.toString('latin1')); else reject(err) })
  })
}

test('torrent pieces lie in files, without the padding', async t => {
  const root = path.join(createFolder(t), 'data')
  const store = new FileStore({ layout: LAYOUT, root, isWritable: true })
  const pieces = ['01234567', '89\0\0\0\0\0\0', 'abcdefgh', 'ij']
  for (const [index, text] of pieces.entries()) await put(store, index, text)
  t.equal(readFileSync(path.join(root, 'a'), 'utf8'), '0123456789')
  t.equal(readFileSync(path.join(root, 'd/b'), 'utf8'), 'abcdefghij')
  for (const [index, text] of pieces.entries()) t.equal(await get(store, index), text)
  store.close()
  const changes: string[] = []
  const stamp = stampAt(path.join(root, 'd/b'))
  const original = new FileStore({
    layout: LAYOUT, root, isWritable: false, mustBe: () => stamp, onChange: at => { changes.push(at) }
  })
  t.equal(await get(original, 2), 'abcdefgh')
  t.ok(await put(original, 0, 'x'.repeat(8)).catch((err: Error) => err), 'an original is not written to')
  writeFileSync(path.join(root, 'd/b'), 'ABCDEFGHIJ')
  utimesSync(path.join(root, 'd/b'), 1, 1)
  t.ok(await get(original, 2).catch((err: Error) => /has changed/.test(err.message)), 'what has changed is not read')
  t.deepEqual(changes, [path.join(root, 'd/b')])
  original.close()
})

test('a file that was verified and is gone, cut or another one is noticed, and made anew', async t => {
  const root = path.join(createFolder(t), 'data')
  const here = new Set<number>()
  const changes: string[] = []
  const store: FileStore = new FileStore({
    layout: LAYOUT,
    root,
    isWritable: true,
    isHere: piece => here.has(piece),
    onChange: at => {
      changes.push(path.relative(root, at))
      here.clear()
      store.doubt()
      store.trust()
    }
  })
  const fetch = async (index: number, text: string): Promise<void> => {
    await put(store, index, text)
    here.add(index)
  }
  const [a, b] = [path.join(root, 'a'), path.join(root, 'd/b')]
  const codeOf = async (index: number): Promise<string | undefined> => (await rejection(get(store, index))).code
  t.equal(await codeOf(0), 'BW_ERR_INPUT', 'of what was never here')
  t.deepEqual([changes, existsSync(root)], [[], false], 'nothing is lost, and nothing made')
  await fetch(0, '01234567')
  t.equal(await get(store, 0), '01234567')
  rmSync(a)
  await fetch(1, '89\0\0\0\0\0\0')
  t.deepEqual([changes.splice(0), readFileSync(a, 'latin1')], [['a'], '\0\0\0\0\0\0\0\x0089'], 'removed, then written to')
  await fetch(2, 'abcdefgh')
  truncateSync(b, 3)
  t.equal(await codeOf(2), 'BW_ERR_INPUT')
  t.deepEqual(changes.splice(0), ['d/b'], 'cut')
  await fetch(2, 'abcdefgh')
  t.equal(await get(store, 2), 'abcdefgh')
  writeFileSync(path.join(root, 'other'), 'ABCDEFGHIJ')
  renameSync(path.join(root, 'other'), b)
  await fetch(3, 'ij')
  t.deepEqual(changes.splice(0), ['d/b'], 'another one, then written to')
  rmSync(root, { recursive: true })
  t.equal(await codeOf(3), 'BW_ERR_INPUT')
  t.deepEqual(changes.splice(0), ['d/b'], 'removed, then read')
  store.close()
  here.add(0)
  const again = new FileStore({
    layout: LAYOUT, root, isWritable: true, isHere: piece => here.has(piece), onChange: at => { changes.push(at) }
  })
  await put(again, 1, '89\0\0\0\0\0\0')
  t.deepEqual(changes, [a], 'removed before it was used')
  again.close()
})

test('peers are served from windows, and never changed bytes', async t => {
  const file = path.join(createFolder(t), 'file')
  const bytes = Buffer.from(Array.from({ length: 4 * MIB }, (_, i) => i * 7 >> 5))
  writeFileSync(file, bytes)
  const layout: InputLayout = {
    pieceLength: 2 * MIB,
    torrentLength: bytes.length,
    length: bytes.length,
    isFolder: false,
    links: [],
    files: [{ path: '', length: bytes.length, offset: 0, executable: false }]
  }
  const stamp = stampAt(file)
  const store = new FileStore({ layout, root: file, isWritable: false, isHere: () => true, mustBe: () => stamp })
  const block = async (index: number, offset: number): Promise<Buffer> => new Promise((resolve, reject) => {
    store.get(index, { offset, length: 16_384 }, (err, got) => { if (err === null) resolve(got!); else reject(err) })
  })
  const blocks = [[0, 0], [0, 16_384], [0, MIB], [0, MIB - 100], [1, 0], [1, MIB - 16_384]] as const
  for (const [index, offset] of blocks) {
    const at = index * layout.pieceLength + offset
    t.ok((await block(index, offset)).equals(bytes.subarray(at, at + 16_384)), `piece ${index}, from ${offset}`)
  }
  writeFileSync(file, Buffer.alloc(bytes.length))
  utimesSync(file, 1, 1)
  t.ok((await block(0, 0)).equals(bytes.subarray(0, 16_384)), 'a window that was read before is right')
  t.equal((await rejection(block(1, MIB))).code, 'BW_ERR_INPUT')
  t.equal((await rejection(block(0, 0))).code, 'BW_ERR_INPUT', 'what is noticed ends it')
  store.close()
})

test('a restart trusts the records only of unchanged files', async t => {
  const cache = new InputCache({ folder: createFolder(t) })
  const entry = cache.open(HASH)
  const store = new FileStore({ layout: LAYOUT, root: entry.root, isWritable: true })
  await put(store, 2, 'abcdefgh')
  await put(store, 3, 'ij')
  store.close()
  entry.setInfo(new Uint8Array([1, 2]))
  entry.seal(LAYOUT, 1)
  entry.seal(LAYOUT, 2)
  entry.writePieces(new Uint8Array([0x30]), LAYOUT.files.map((_, file) => stampAt(filePath(entry.root, LAYOUT, file))))
  entry.close()
  const again = cache.open(HASH)
  t.deepEqual([...again.info!], [1, 2])
  t.deepEqual([...again.readPieces(LAYOUT)!], [0x30])
  const state = path.join(path.dirname(again.root), 'state')
  const written = readFileSync(state, 'utf8')
  writeFileSync(state, written.replace(/"boot":"[^"]*"/, '"boot":"another"'))
  t.equal(again.readPieces(LAYOUT), null, 'a crash of the system may have lost some of it')
  writeFileSync(state, written)
  t.ok(again.readPieces(LAYOUT))
  const { mode, mtimeMs } = statSync(path.join(again.root, 'd/b'))
  t.deepEqual([mode & 0o777, mtimeMs], [0o555, 0], 'complete: read-only, and without a time')
  t.equal(statSync(path.join(again.root, 'empty')).size, 0)
  again.unseal(LAYOUT, 1)
  writeFileSync(path.join(again.root, 'd/b'), 'ABCDEFGHIJ')
  t.equal(again.readPieces(LAYOUT), null, 'otherwise all is looked at')
  again.close()
})

test('a second process gets an entry of its own', t => {
  const folder = createFolder(t)
  const one = new InputCache({ folder }).open(HASH)
  const two = new InputCache({ folder }).open(HASH)
  t.notEqual(one.root, two.root)
  one.close()
  const three = new InputCache({ folder }).open(HASH)
  t.equal(three.root, one.root, 'and the first one again when that is free')
  two.close()
  three.close()
  t.end()
})

test('the longest unused is removed first, and nothing that is in use', async t => {
  const folder = createFolder(t)
  const cache = new InputCache({ folder, maxBytes: 150_000 })
  for (const [infoHash, time] of [[HASH, 10], [OTHER, 20]] as const) {
    const entry = cache.open(infoHash)
    writeFileSync(entry.root, 'x'.repeat(100_000))
    entry.close()
    utimesSync(path.dirname(entry.root), time, time)
  }
  const used = cache.open(HASH)
  await cache.trim()
  t.deepEqual([HASH, OTHER].map(each => existsSync(path.join(folder, 'inputs', each))), [true, false], 'in use')
  used.close()
  await cache.trim()
  t.ok(existsSync(used.root), 'what is small enough stays')
  await new InputCache({ folder, maxBytes: 0 }).trim()
  t.notOk(existsSync(path.dirname(used.root)))
})

test('an entry is opened while other processes remove it', async t => {
  const folder = createFolder(t)
  const others = [0, 1].map(() => fork(fileURLToPath(new URL('../fixtures/trim.ts', import.meta.url)), [folder]))
  t.teardown(() => { for (const other of others) other.kill('SIGKILL') })
  await Promise.all(others.map(async other => once(other, 'message')))
  const cache = new InputCache({ folder, maxBytes: 0 })
  let removed = 0
  for (let i = 0; i < 1000; i++) {
    const entry = cache.open(HASH)
    writeFileSync(entry.root, 'x')
    entry.setInfo(new Uint8Array([i & 255]))
    if (entry.info?.[0] !== (i & 255) || !existsSync(entry.root)) removed++
    entry.close()
    if (i % 50 === 0) await setImmediate()
  }
  t.equal(removed, 0, 'nothing that is in use')
})

test('a cache that is removed while it is in use is locked again, or not written to', t => {
  const folder = createFolder(t)
  const cache = new InputCache({ folder })
  const entry = cache.open(HASH)
  const at = path.dirname(entry.root)
  t.notOk(entry.hold(), 'as it was')
  rmSync(folder, { recursive: true })
  t.throws(() => { entry.writePieces(new Uint8Array(1), []) }, /is gone/, 'nothing is written down of what is gone')
  t.notOk(existsSync(at))
  t.ok(entry.hold(), 'locked again')
  const second = cache.open(HASH)
  t.notEqual(second.root, entry.root, 'others notice')
  second.close()
  rmSync(folder, { recursive: true })
  const third = cache.open(HASH)
  t.equal(third.root, entry.root, 'faster')
  t.throws(() => { entry.hold() }, /was removed while it was in use, and another process uses it now\.$/)
  entry.close()
  t.ok(existsSync(path.join(at, 'lock')), 'the lock of the other one stays')
  third.close()
  t.end()
})

test('a cache folder that is a symbolic link is used, and one that cannot be is named', t => {
  const folder = createFolder(t)
  const at = (name: string): string => path.join(folder, name)
  mkdirSync(at('real'))
  symlinkSync('real', at('link'))
  new InputCache({ folder: at('link') }).open(HASH).close()
  t.ok(existsSync(path.join(at('real'), 'inputs', HASH)))
  symlinkSync('nowhere', at('dangling'))
  writeFileSync(at('file'), '')
  const open = (name: string): void => { new InputCache({ folder: at(name) }).open(HASH) }
  t.throws(() => { open('dangling') }, /dangling: it is a symbolic link to nothing\. Remove it/)
  t.throws(() => { open('file/x') }, /is not a folder/)
  t.end()
})
