// Where inputs lie: what counts as changed, what is passed on then, and what commands see of the files.
import {
  chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, truncateSync,
  utimesSync, writeFileSync
} from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { hashTree } from '../../lib/inputs/hash.ts'
import { readLayout } from '../../lib/inputs/metainfo.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import type { FoundInput } from '../../lib/inputs/original.ts'
import { CachedPlace, OriginalPlace } from '../../lib/inputs/places.ts'
import { readTree } from '../../lib/inputs/tree.ts'
import type { TorrentInput } from '../../lib/task/types.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

const INPUT: TorrentInput = { name: 'data', length: 20, infoHash: 'a'.repeat(40), sha256: new Uint8Array(32), files: 2 }

interface Made { root: string, found: FoundInput, layout: InputLayout }

/** A folder as `create` remembers it. */
async function made (t: Test): Promise<Made> {
  const root = path.join(createFolder(t), 'data')
  mkdirSync(path.join(root, 'd'), { recursive: true })
  writeFileSync(path.join(root, 'a'), '0123456789', { mode: 0o600 })
  writeFileSync(path.join(root, 'd/b'), 'abcdefghij')
  const tree = await readTree(root)
  const info = await hashTree(tree, { name: 'data' })
  const files = tree.files.map(({ length, mtimeMs, ctimeMs }) => ({ length, mtimeMs, ctimeMs }))
  return { root, found: { info, path: root, files }, layout: readLayout(info, 'data') }
}

function placeOf (t: Test, { found, layout }: Made): OriginalPlace {
  return new OriginalPlace(INPUT, found, layout, { folder: createFolder(t), find: async () => null })
}

/** The same length and time of change, as whoever wants to hide it would do it. */
function edit (at: string, how: 'in place' | 'by another file'): void {
  const { atime, mtime } = statSync(at)
  const other = `${at}.new`
  writeFileSync(how === 'in place' ? at : other, 'ABCDEFGHIJ')
  utimesSync(how === 'in place' ? at : other, atime, mtime)
  if (how === 'by another file') renameSync(other, at)
}

for (const how of ['in place', 'by another file'] as const) {
  test(`an original that was edited ${how}, with its time set back, is looked at, and not shared`, async t => {
    const one = await made(t)
    t.ok(placeOf(t, one).bitfield(one.layout), 'as it was: it need not be looked at')
    edit(path.join(one.root, 'd/b'), how)
    const place = placeOf(t, one)
    t.equal(place.bitfield(one.layout), null, 'all of it is looked at')
    place.open(one.found.info, one.layout, () => false, () => {})
    t.throws(() => place.looked(), /data\/a has changed since the task was made/)
  })

  test(`an original that is edited ${how} while it is shared is not read until it has been checked`, async t => {
    const one = await made(t)
    const place = placeOf(t, one)
    let changes = 0
    const store = place.open(one.found.info, one.layout, () => true, () => { changes++ })
    t.ok(place.looked())
    t.equal((await store.read(10, 10)).toString(), 'abcdefghij')
    edit(path.join(one.root, 'd/b'), how)
    t.match((await rejection(store.read(10, 10))).message, /has changed/)
    t.equal(changes, 1)
    place.doubt()
    const served = await new Promise<Error | null>(resolve => { store.get(0, { offset: 10, length: 10 }, resolve) })
    t.match(served?.message ?? '', /being checked/, 'no peer is sent it meanwhile')
    t.equal((await store.read(10, 10)).toString(), 'ABCDEFGHIJ', 'WebTorrent reads what is there')
    store.close()
  })
}

test('an original that was only touched, or given other rights, is shared', async t => {
  const one = await made(t)
  utimesSync(path.join(one.root, 'a'), 1, 1)
  chmodSync(path.join(one.root, 'd/b'), 0o640)
  const place = placeOf(t, one)
  t.equal(place.bitfield(one.layout), null, 'after it was looked at')
  const store = place.open(one.found.info, one.layout, () => true, () => { t.fail('it has not changed') })
  t.ok(place.looked())
  t.equal((await store.read(0, 20)).toString(), '0123456789abcdefghij')
  store.close()
})

test('an original that is cut off, or gone, is not looked at', async t => {
  const one = await made(t)
  const place = placeOf(t, one)
  place.open(one.found.info, one.layout, () => true, () => {})
  t.ok(place.looked())
  truncateSync(path.join(one.root, 'a'), 5)
  t.throws(() => { place.doubt() }, /data\/a has changed/)
  t.throws(() => placeOf(t, one), /data\/a has changed/)
  renameSync(one.root, `${one.root}.gone`)
  t.throws(() => placeOf(t, one), /no longer exists/)
})

test('commands see an original in the same way as a downloaded input', async t => {
  const one = await made(t)
  writeFileSync(path.join(one.root, 'other'), 'none of the input')
  const place = placeOf(t, one)
  place.open(one.found.info, one.layout, () => true, () => {})
  t.ok(place.looked())
  t.equal(place.root, null, 'not where it lies')
  await place.show()
  const root = place.root!
  t.notEqual(root, one.root)
  const seen = ['a', 'd', 'd/b', '.'].map(name => {
    const { mode, mtimeMs } = lstatSync(path.join(root, name))
    return `${name} ${(mode & 0o7777).toString(8)} ${mtimeMs}`
  })
  t.deepEqual(seen, ['a 555 0', 'd 755 0', 'd/b 555 0', '. 755 0'])
  t.equal(readFileSync(path.join(root, 'd/b'), 'utf8'), 'abcdefghij')
  t.ok(await place.isIntact('all'))
  edit(path.join(one.root, 'a'), 'in place')
  t.ok(await place.isIntact('all'), 'what its author does to his own files is nothing to them')
  edit(path.join(root, 'd/b'), 'in place')
  t.notOk(await place.isIntact('all'), 'and what is done to theirs is seen')
  t.notOk(await place.isIntact(1))
  t.ok(await place.isIntact(0))
  await place.close()
})

test('a complete file in the cache is neither read nor shown to commands after a change', async t => {
  const one = await made(t)
  const place = new CachedPlace(INPUT.infoHash, { folder: createFolder(t) })
  let changes = 0
  let [first, second] = [false, false]
  const layout = { ...one.layout, pieceLength: 10 }
  const store = place.open(one.found.info, layout, piece => piece === 0 ? first : second, () => { changes++ })
  const write = async (index: number, text: string): Promise<void> =>
    new Promise(resolve => { store.put(index, Buffer.from(text), () => { resolve() }) })
  t.ok(place.looked())
  await write(0, '0123456789')
  await write(1, 'abcdefghij')
  first = true
  t.ok(place.came(0))
  const at = path.join(place.root, 'a')
  t.equal(lstatSync(at).mode & 0o7777, 0o555)
  t.ok(await place.isIntact(0))
  edit(at, 'in place')
  t.notOk(await place.isIntact(0))
  t.notOk(await place.isIntact('all'))
  t.ok(await place.isIntact(1), 'the other one is not complete yet')
  t.match((await rejection(store.read(0, 10))).message, /has changed/)
  t.equal(changes, 1)
  place.doubt()
  edit(at, 'in place')
  t.notOk(place.looked(), 'changed while it was looked at')
  place.doubt()
  await write(0, '0123456789')
  second = true
  t.ok(place.looked())
  t.ok(await place.isIntact('all'), 'looked at again')
  t.deepEqual([lstatSync(path.join(place.root, 'd')).mtimeMs, lstatSync(place.root).mtimeMs], [0, 0])
  store.close()
  place.stop(true)
  await place.close()
})

/** Beside the files of `made`. */
const LINKS = [['e', 'd'], ['only/c', '../e']] as const

function linked (one: Made): Made {
  const links = [{ path: 'e', target: 'd' }, { path: 'only/c', target: 'e' }]
  return { ...one, layout: { ...one.layout, links } }
}

for (const kind of ['original', 'cache'] as const) {
  test(`symbolic links of an input in the ${kind}: they are as its metadata says, and stay so`, async t => {
    const one = linked(await made(t))
    const folder = createFolder(t)
    const outside = path.join(folder, 'outside')
    mkdirSync(outside)
    const place = kind === 'original'
      ? new OriginalPlace(INPUT, one.found, one.layout, { folder, find: async () => null })
      : new CachedPlace(INPUT.infoHash, { folder })
    const layout = { ...one.layout, pieceLength: 20 }
    const store = place.open(one.found.info, layout, () => true, () => {})
    if (kind === 'cache') {
      // as if somebody had been there
      mkdirSync(place.root!)
      symlinkSync(outside, path.join(place.root!, 'e'))
      mkdirSync(path.join(place.root!, 'only/c/d'), { recursive: true })
      await new Promise<void>(resolve => { store.put(0, Buffer.from('0123456789abcdefghij'), () => { resolve() }) })
    }
    const areRight = async (): Promise<void> => {
      t.ok(place.looked())
      await place.show()
      t.deepEqual(LINKS.map(([at]) => readlinkSync(path.join(place.root!, at))), LINKS.map(([, target]) => target))
      t.deepEqual(['.', 'e', 'only', 'only/c'].map(at => lstatSync(path.join(place.root!, at)).mtimeMs), [0, 0, 0, 0])
      t.ok(await place.isIntact('all'))
      t.equal(readFileSync(path.join(place.root!, 'only/c/b'), 'utf8'), 'abcdefghij')
    }
    await areRight()
    for (const change of [
      () => {},
      () => { symlinkSync(outside, path.join(place.root!, 'e')) },
      () => { writeFileSync(path.join(place.root!, 'e'), 'd') },
      () => { mkdirSync(path.join(place.root!, 'e')) }
    ]) {
      rmSync(path.join(place.root!, 'e'))
      change()
      t.notOk(await place.isIntact('all'), 'a change is seen')
      place.doubt()
      await areRight()
    }
    t.deepEqual([statSync(outside).mode & 0o7777, statSync(outside).mtimeMs > 0], [0o755, true], 'where it led is as it was')
    store.close()
    place.stop(true)
    await place.close()
  })
}

test('a restart leaves an empty file in the cache as it is', async t => {
  const folder = createFolder(t)
  const { found } = await made(t)
  const files = [{ path: 'a', length: 5, offset: 0, executable: false }, { path: 'none', length: 0, offset: 5, executable: false }]
  const layout: InputLayout = { pieceLength: 16_384, torrentLength: 5, length: 5, isFolder: true, files, links: [] }
  const changedAt: number[] = []
  for (const isFirst of [true, false]) {
    const place = new CachedPlace(INPUT.infoHash, { folder })
    t.equal(place.bitfield(layout) === null, isFirst)
    const store = place.open(found.info, layout, () => true, () => {})
    if (isFirst) await new Promise<void>(resolve => { store.put(0, Buffer.from('hello'), () => { resolve() }) })
    t.ok(place.looked())
    // nobody but root can write to it now
    changedAt.push(lstatSync(path.join(place.root, 'none')).ctimeMs)
    store.close()
    place.stop(true)
    await place.close()
  }
  t.equal(changedAt[1], changedAt[0])
})
