// A stored piece is computed again: an equal result is discarded, another one may take its place.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'tape'
import type { Test } from 'tape'
import { sameResult } from '../../lib/results/result.ts'
import { FILE_FINISHED, PIECE_COMPUTED, PIECE_STORED, RECORD_BYTES, decodeJournal } from '../../lib/store/journal.ts'
import type { Task } from '../../lib/task/task.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { close, get, openStore, put, squares } from '../helpers/stores.ts'
import type { OpenStore } from '../helpers/stores.ts'

const PIECES = 4
const right = (index: number): string => `right ${index}\n`
const whole = (wrong?: number): string =>
  Array.from({ length: PIECES }, (_, index) => index === wrong ? 'wrong!!\n' : right(index)).join('')
const executor = (): FakeExecutor => new FakeExecutor(({ env }) => ({ stdout: right(Number(env['PIECE_IDX'])) }))
const yes = (): boolean => true

/** A finished file whose piece 1 is wrong. */
async function finished (t: Test, task: Task, folder = createFolder(t)): Promise<OpenStore> {
  const store = await openStore(t, task, folder, { executor: executor() })
  for (let index = 0; index < PIECES; index++) await put(store, index, index === 1 ? 'wrong!!\n' : right(index))
  t.equal(readFileSync((await store.finishFile(0, { run: false }))!.path, 'utf8'), whole(1))
  return store
}

function recordsOf (store: OpenStore): number[] {
  const bounds = { ...store.task, fileCount: store.task.files.length }
  return decodeJournal(readFileSync(store.layout.journal), bounds).records.map(({ type }) => type)
}

test('an equal result is discarded, and recorded as computed here', async t => {
  const store = await finished(t, squares({ parts: PIECES }))
  const asked: number[] = []
  const generated = await store.generate(2, { replaces: () => asked.push(1) > 0 }).done
  t.same([asked, generated.discarded, store.lost], [[], undefined, []], 'nobody is asked')
  t.ok(sameResult(store.computed(2)!, generated))
  t.equal(store.computed(0), undefined)
  t.equal(recordsOf(store).at(-1), PIECE_COMPUTED)
  t.equal((await store.finishFile(0, { run: false }))?.length, whole().length, 'the file stays')
  await close(store)
})

test('who is asked may read what was computed, and take time; what is stored meanwhile is asked about again', async t => {
  const store = await finished(t, squares({ parts: PIECES }))
  const asked: string[] = []
  const generated = await store.generate(1, {
    replaces: async (own, stored) => {
      const bytes: Uint8Array[] = []
      await own.draft.hashInto({ update: chunk => bytes.push(Uint8Array.from(chunk)) }, 0, own.size)
      asked.push(`${Buffer.concat(bytes).toString('latin1')}${stored.size}`)
      if (asked.length > 1) return false
      await new Promise<void>(resolve => { store.put(1, Buffer.from('other'), () => { resolve() }) })
      return true
    }
  }).done
  t.equal(asked.length, 2)
  t.same(asked.map(text => text.slice(-1)), ['8', '5'])
  t.equal(generated.size, 5)
  t.same([await get(store, 1), store.computed(1)], ['other', undefined])
  const lost = await store.generate(1, {
    replaces: async () => {
      store.drop(1)
      return false
    }
  }).done
  t.equal(lost.discarded, undefined, 'what was computed is stored if nothing else is any more')
  t.ok(sameResult(store.computed(1)!, lost))
})

test('another result is discarded, or takes the place of the stored one', async t => {
  const store = await finished(t, squares({ parts: PIECES }))
  const kept = await store.generate(1, { replaces: () => false }).done
  t.equal(kept.size, 'wrong!!\n'.length, 'what is stored')
  t.equal(Buffer.from(kept.discarded!.digest).toString('hex').length, 64)
  t.same([await get(store, 1), store.lost, store.computed(1)], ['wrong!!\n', [], undefined])
  const asked: string[] = []
  const generation = store.generate(1, {
    replaces: (own, stored) => {
      asked.push(`${own.size} ${stored.size} ${store.lost.length}`)
      return true
    }
  })
  const generated = await generation.done
  t.same(asked, ['8 8 0'], 'asked once, before the other one is lost')
  t.same([generated.discarded, store.lost], [undefined, [1]])
  t.ok(sameResult(store.computed(1)!, generated))
  t.equal(await get(store, 1), right(1))
  t.equal(await get(store, 2), right(2), 'the others are still in the file')
  const again = await store.finishFile(0, { run: false })
  t.equal(readFileSync(again!.path, 'utf8'), whole(), 'the file is made again')
  await close(store)
})

test('wherever a crash falls while a result is replaced, the next start has one or the other', async t => {
  const task = squares({ parts: PIECES })
  const folder = createFolder(t)
  const store = await finished(t, task, folder)
  const before = recordsOf(store).length
  await store.generate(1, { replaces: yes }).done
  await close(store)
  const journal = readFileSync(store.layout.journal)
  const records = recordsOf(store).length - before
  t.equal(records, 3, 'dropped, stored, computed')
  for (let lost = 0; lost <= records; lost++) {
    const copy = createFolder(t)
    cpSync(folder, copy, { recursive: true })
    const next = await openStore(t, task, copy, { executor: executor() })
    await close(next)
    writeFileSync(next.layout.journal, journal.subarray(0, journal.length - lost * RECORD_BYTES))
    cpSync(store.layout.parts, next.layout.parts, { recursive: true })
    const after = await openStore(t, task, copy, { executor: executor() })
    if (after.results.get(1) === undefined) await after.generate(1).done
    for (let index = 0; index < PIECES; index++) t.ok(await after.verify(index), `${lost} records lost: ${index}`)
    const file = await after.finishFile(0, { run: false })
    t.equal(readFileSync(file!.path, 'utf8'), lost === records ? whole(1) : whole(), 'and the file is made of it')
    t.equal(after.computed(1) !== undefined, lost === 0)
    await close(after)
  }
})

test('a file that a complete command made is made again, after a restart, too', async t => {
  const task = squares({ parts: PIECES, completeCommand: 'cat $PART_LIST > $FILE' })
  const folder = createFolder(t)
  const made: string[] = []
  const complete = (): FakeExecutor => new FakeExecutor(({ env }) => {
    if (env['PART_LIST'] === undefined) return { stdout: right(Number(env['PIECE_IDX'])) }
    made.push('made')
    writeFileSync(env['FILE']!, `made ${made.length} times`)
    return {}
  })
  const store = await openStore(t, task, folder, { executor: complete() })
  for (let index = 0; index < PIECES; index++) await put(store, index, index === 1 ? 'wrong!!\n' : right(index))
  await store.finishFile(0, { run: true })
  await store.finishFile(0, { run: true })
  t.equal(made.length, 1)
  await store.generate(1, { replaces: yes }).done
  await close(store)
  const next = await openStore(t, task, folder, { executor: complete() })
  t.equal(await next.finishFile(0, { run: false }), null, 'it is not finished any more')
  await next.finishFile(0, { run: true })
  t.equal(made.length, 2)
  await close(next)
  const last = await openStore(t, task, folder, { executor: complete() })
  t.notEqual(await last.finishFile(0, { run: false }), null, 'and now it is')
  t.same(recordsOf(last).filter(type => type === FILE_FINISHED || type === PIECE_STORED).slice(-2), [1, 2])
  await close(last)
})

test('a file that a complete command made is made again if a dropped piece comes back as another one', async t => {
  const task = squares({ parts: PIECES, completeCommand: 'cat $PART_LIST > $FILE' })
  const folder = createFolder(t)
  let made = 0
  const complete = (): FakeExecutor => new FakeExecutor(({ env }) => {
    if (env['PART_LIST'] === undefined) return { stdout: right(Number(env['PIECE_IDX'])) }
    writeFileSync(env['FILE']!, `made ${++made} times`)
    return {}
  })
  const store = await openStore(t, task, folder, { executor: complete() })
  for (let index = 0; index < PIECES; index++) await put(store, index, index < 3 ? 'wrong!!\n' : right(index))
  await store.finishFile(0, { run: true })
  store.drop(3)
  await put(store, 3, right(3))
  t.notEqual(await store.finishFile(0, { run: false }), null, 'the same result: the file stays')
  store.drop(1)
  await put(store, 1, right(1))
  t.equal(await store.finishFile(0, { run: false }), null, 'another one')
  await store.finishFile(0, { run: true })
  t.equal(made, 2)
  store.drop(2)
  await close(store)
  const next = await openStore(t, task, folder, { executor: complete() })
  await put(next, 2, right(2))
  t.equal(await next.finishFile(0, { run: false }), null, 'another one, which has come after a restart')
  await next.finishFile(0, { run: true })
  t.equal(made, 3)
  await close(next)
})
