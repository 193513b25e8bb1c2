// Pieces that are written once: where they will be in the finished file.
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { sameResult } from '../../lib/results/result.ts'
import { createFolder, rejection } from '../helpers/disk.ts'
import { close, filesIn, get, openStore, put as putPiece, sha256, squares } from '../helpers/stores.ts'
import type { OpenStore } from '../helpers/stores.ts'

const SIZE = 200_000
const contentOf = (index: number): Buffer => Buffer.alloc(SIZE + index, `${index};`)
const whole = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, index) => contentOf(index)))
const task = squares({ parts: 6, pieceLength: 3_000_000 })

async function put (store: OpenStore, ...indices: number[]): Promise<void> {
  for (const index of indices) await putPiece(store, index, contentOf(index))
}

async function isWhole (store: OpenStore): Promise<boolean> {
  const finished = await store.finishFile(0, { run: false })
  return readFileSync(finished!.path).equals(whole(6))
}

test('pieces that come in order are written once', async t => {
  const store = await openStore(t, task, createFolder(t))
  await put(store, 0, 1, 2)
  t.deepEqual(readdirSync(store.layout.parts), [], 'no parts')
  t.equal(statSync(store.layout.draft(0)).size, whole(3).length)
  await put(store, 4, 3)
  t.deepEqual(readdirSync(store.layout.parts), ['000004'], 'but of one that came too early')
  await put(store, 5)
  for (let index = 0; index < 6; index++)
    t.ok(
      Buffer.from(await get(store, index), 'latin1').equals(contentOf(index)), `piece ${index} is read from where it is`
    )
  const draft = statSync(store.layout.draft(0)).ino
  t.ok(await isWhole(store))
  t.equal(statSync(`${store.layout.folder}/squares`).ino, draft, 'the draft became the file')
  t.deepEqual(filesIn(store.layout.root), ['journal', 'lock', 'task.bitworker'])
  t.equal(statSync(`${store.layout.folder}/squares`).mode & 0o777, 0o666 & ~process.umask())
  for (let index = 0; index < 6; index++) t.ok(Buffer.from(await get(store, index), 'latin1').equals(contentOf(index)))
  t.deepEqual(store.lost, [])
})

test('a restart finds them there', async t => {
  const store = await openStore(t, task, createFolder(t))
  await put(store, 0, 1, 3)
  await close(store)
  const again = await openStore(t, task, store.layout.folder)
  t.deepEqual([...again.results.keys()], [0, 1, 3])
  await put(again, 2, 4, 5)
  t.deepEqual(readdirSync(again.layout.parts), ['000003'])
  t.ok(await isWhole(again))
  await close(again)
  const last = await openStore(t, task, store.layout.folder)
  t.ok(await isWhole(last))
})

test('damage in a draft is noticed before a byte leaves, or it is finished', async t => {
  const store = await openStore(t, task, createFolder(t))
  await put(store, 0, 1, 2, 3, 4, 5)
  await close(store)
  const draft = store.layout.draft(0)
  const bytes = readFileSync(draft)
  bytes[whole(2).length + 7] = 0x21
  writeFileSync(draft, bytes)
  const again = await openStore(t, task, store.layout.folder)
  t.equal((await rejection(get(again, 2, { offset: 100_000, length: 100 }))).code, 'BW_ERR_PIECE_LOST')
  t.deepEqual(again.lost, [2])
  await put(again, 2)
  t.deepEqual(readdirSync(again.layout.parts), [], 'it goes back to its place')
  t.ok(await isWhole(again))
  await close(again)

  const other = await openStore(t, task, createFolder(t))
  await put(other, 0, 1, 2, 3, 4, 5)
  await close(other)
  writeFileSync(other.layout.draft(0), bytes)
  const unread = await openStore(t, task, other.layout.folder)
  t.equal((await rejection(unread.finishFile(0, { run: false }))).code, 'BW_ERR_PART_CORRUPT')
  t.deepEqual(unread.lost, [2])
  t.notOk(existsSync(`${unread.layout.folder}/squares`))
})

test('a lost piece that has another size now', async t => {
  const store = await openStore(t, task, createFolder(t))
  await put(store, 0, 1, 2, 3, 4)
  const draft = store.layout.draft(0)
  const bytes = readFileSync(draft)
  bytes[whole(2).length] = 0x21
  writeFileSync(draft, bytes)
  t.equal(await store.verify(2), false)
  const longer = Buffer.alloc(SIZE * 2, 'longer')
  await putPiece(store, 2, longer)
  await put(store, 5)
  const finished = await store.finishFile(0, { run: false })
  const expected = Buffer.concat([0, 1, 2, 3, 4, 5].map(index => index === 2 ? longer : contentOf(index)))
  t.ok(readFileSync(finished!.path).equals(expected), 'the file is put together anew')
  t.deepEqual(filesIn(store.layout.root), ['journal', 'lock', 'task.bitworker'], 'and the draft is gone')
})

test('a piece that comes bit by bit', async t => {
  const store = await openStore(t, task, createFolder(t))
  const content = Buffer.alloc(2_500_000, 'large ')
  const result = { size: content.length, digest: sha256(content) }
  const given = store.receive(0, content.length)
  await given.write(0, content.subarray(0, 1_000_000))
  given.discard()
  t.equal(statSync(store.layout.draft(0)).size, 0, 'what nothing comes of takes no room')
  const incoming = store.receive(0, content.length)
  const rival = store.receive(0, content.length)
  await incoming.write(1_000_000, content.subarray(1_000_000))
  await rival.write(0, content)
  await incoming.write(0, content.subarray(0, 1_000_000))
  t.deepEqual(await incoming.commit(result), result)
  t.ok(sameResult(await rival.commit(result), result), 'twice at the same time')
  t.deepEqual(readdirSync(store.layout.work), [])
  t.ok(Buffer.from(await get(store, 0), 'latin1').equals(content))
  t.throws(() => store.receive(6, 1), /does not fit the task/)
  t.throws(() => store.receive(1, 3_000_001), /does not fit the task/)
})

const even = squares({ parts: 6, pieceLength: SIZE })
const evenContent = (index: number): Buffer => Buffer.alloc(index === 5 ? 70_000 : SIZE, `${index};`)

async function putEven (store: OpenStore, ...indices: number[]): Promise<void> {
  for (const index of indices) await putPiece(store, index, evenContent(index))
}

test('pieces of piece length go to their place in any order', async t => {
  const store = await openStore(t, even, createFolder(t))
  await putEven(store, 4, 1, 5)
  await close(store)
  const again = await openStore(t, even, store.layout.folder)
  t.deepEqual([...again.results.keys()], [1, 4, 5])
  await putEven(again, 3, 0, 2)
  t.deepEqual(readdirSync(again.layout.parts), [], 'no parts')
  const draft = statSync(again.layout.draft(0)).ino
  const { path } = (await again.finishFile(0, { run: false }))!
  t.equal(statSync(path).ino, draft, 'the draft became the file')
  t.ok(readFileSync(path).equals(Buffer.concat([0, 1, 2, 3, 4, 5].map(evenContent))))
  t.deepEqual(again.lost, [])
})

test('bytes after a piece are not cut off with it', async t => {
  const store = await openStore(t, even, createFolder(t))
  const first = store.receive(0, SIZE)
  await first.write(0, evenContent(0))
  await putEven(store, 1, 2)
  first.discard()
  for (const index of [1, 2]) t.ok(Buffer.from(await get(store, index), 'latin1').equals(evenContent(index)))
  await putEven(store, 5, 4, 3, 0)
  t.deepEqual(readdirSync(store.layout.parts), [])
})

test('a shorter piece among them: the file is put together anew, whatever comes in whatever order', async t => {
  for (const order of [
    [4, 5, 1, 0, 2, 3], [1, 2, 3, 0, 5, 4], [5, 4, 3, 2, 1, 0], [0, 3, 1, 2, 5, 4], [1, 4, 0, 3, 2, 5]
  ]) {
    for (const short of [0, 1, 2, 4]) {
      const content = (index: number): Buffer => (index === short ? Buffer.alloc(90_000, 's') : evenContent(index))
      const store = await openStore(t, even, createFolder(t))
      for (const index of order) await putPiece(store, index, content(index))
      for (const index of order)
        if (!Buffer.from(await get(store, index), 'latin1').equals(content(index))) {
          t.fail(`${index} of ${order.join()}, short ${short}`)
        }
      const { path } = (await store.finishFile(0, { run: false }))!
      if (!readFileSync(path).equals(Buffer.concat([0, 1, 2, 3, 4, 5].map(content)))) {
        t.fail(`${order.join()}, short ${short}`)
      }
      t.deepEqual(
        [store.lost, filesIn(store.layout.root)],
        [[], ['journal', 'lock', 'task.bitworker']],
        `${order.join()}, short ${short}`
      )
    }
  }
})

test('nothing is written over a piece that was stored before a restart, when others had other sizes', async t => {
  // the pieces 0 and 1 are lost, and what is known of the others looks even
  const store = await openStore(t, even, createFolder(t))
  await putPiece(store, 0, Buffer.alloc(90_000, '0'))
  await putEven(store, 1, 2)
  const draft = store.layout.draft(0)
  const bytes = readFileSync(draft)
  await close(store)
  bytes[7] = bytes[90_007] = 0x21
  writeFileSync(draft, bytes)
  const again = await openStore(t, even, store.layout.folder)
  for (const index of [0, 1]) await again.verify(index)
  await putEven(again, 1, 0)
  t.ok(Buffer.from(await get(again, 2), 'latin1').equals(evenContent(2)), 'a guess is not in the way')
  await putEven(again, 3, 4, 5)
  const { path } = (await again.finishFile(0, { run: false }))!
  t.ok(readFileSync(path).equals(Buffer.concat([0, 1, 2, 3, 4, 5].map(evenContent))))
  t.deepEqual(again.lost, [0, 1])
})
