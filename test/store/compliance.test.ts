// What holds of every store: ComputeStore, and one without a disk that a session could be given in its place.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import test from 'tape'
import type { Test } from 'tape'
import { sameResult } from '../../lib/results/result.ts'
import { ComputeStore } from '../../lib/store/compute-store.ts'
import type { ChunkStore, DoneCallback, GetCallback, GetOptions, PieceStore } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { createFolder, rejection } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { MemoryStore } from '../helpers/memory-store.ts'
import { close, get, put, sha256, squares } from '../helpers/stores.ts'

type Store = ChunkStore & PieceStore
/** Makes a store whose command prints what `compute` says, and its folder. */
type Make = (t: Pick<Test, 'teardown'>, task: Task, compute: (index: number) => Promise<string>) => Store

const never = new Promise<string>(() => {})
const kinds: Array<[name: string, make: Make]> = [
  ['on disk', (t, task, compute) => {
    const executor = new FakeExecutor(async ({ env }) => ({ stdout: await compute(Number(env['PIECE_IDX'])) }))
    return new ComputeStore({ task, path: createFolder(t as Test), executor })
  }],
  ['in memory', (_t, task, compute) => new MemoryStore(task, compute)]
]

// the published suite for chunk stores: CommonJS, takes tape and a store
type Suite = (t: (name: string, run: (t: Test) => void) => void, store: new (chunkLength: number) => ChunkStore) => void
const published = createRequire(import.meta.url)('abstract-chunk-store/tests') as Suite

for (const [name, make] of kinds) {
  let current: Test
  /** The suite's stores need not be opened, and have chunks of one length. */
  class OneLength implements ChunkStore {
    readonly chunkLength: number
    readonly #store: Store
    readonly #opened: Promise<unknown>

    constructor (chunkLength: number) {
      this.#store = make(
        current, createTask({ name: 'chunks', command: 'true', parts: 101, pieceLength: chunkLength }), () => never
      )
      this.chunkLength = this.#store.chunkLength
      this.#opened = this.#store.open()
    }

    put (index: number, bytes: Uint8Array, cb: DoneCallback = () => {}): void {
      if (bytes.length !== this.chunkLength) return queueMicrotask(() => { cb(new Error('another length')) })
      void this.#opened.then(() => { this.#store.put(index, bytes, cb) })
    }

    get (index: number, opts?: GetOptions | GetCallback | null, cb?: GetCallback): void {
      void this.#opened.then(() => { this.#store.get(index, opts as GetOptions, cb) })
    }

    close (cb?: DoneCallback): void { void this.#opened.then(() => { this.#store.close(cb) }) }
    destroy (cb?: DoneCallback): void { void this.#opened.then(() => { this.#store.destroy(cb) }) }
  }

  published((title, run) => {
    test(`${name}: ${title}`, t => {
      current = t
      run(t)
    })
  }, OneLength)

  const open = async (
    t: Test, task = squares(), compute = async (index: number): Promise<string> => `computed ${index}`
  ): Promise<Store> => {
    const store = make(t, task, compute)
    t.deepEqual([...(await store.open())], [], 'nothing is there')
    return store
  }

  test(`${name}: a piece that comes bit by bit`, async t => {
    const store = await open(t)
    const draft = store.receive(3, 10)
    await Promise.all([draft.write(6, Buffer.from('6789')), draft.write(0, Buffer.from('012345'))])
    const digest = createHash('sha256')
    await draft.hashInto(digest, 0, 4)
    await draft.hashInto(digest, 4, 6)
    t.deepEqual(digest.digest(), sha256('0123456789'))
    t.equal((await rejection(store.read(3, 0, 1))).code, 'BW_ERR_PIECE_MISSING', 'it is not stored yet')
    const result = { size: 10, digest: new Uint8Array(sha256('0123456789')) }
    t.ok(sameResult(await draft.commit(result), result))
    draft.discard()
    t.equal(Buffer.from(await store.read(3, 2, 3)).toString(), '234', 'nothing after commit')
    const given = store.receive(4, 10)
    await given.write(0, Buffer.from('0123'))
    given.discard()
    t.equal((await rejection(get(store, 4))).code, 'BW_ERR_PIECE_MISSING', 'given up')
    await close(store)
  })

  test(`${name}: sizes, ranges and errors`, async t => {
    const store = await open(t)
    for (const [index, length] of [[0, 0], [1, 1], [2, 100]] as const) {
      t.equal((await put(store, index, 'x'.repeat(length))).size, length)
      t.equal(await get(store, index), 'x'.repeat(length), `${length} bytes`)
    }
    for (const [index, size] of [[0, 101], [8, 1], [-1, 1], [0.5, 1]] as const) {
      t.throws(() => store.receive(index, size), { code: 'BW_ERR_PIECE_RANGE' }, `piece ${index} with ${size} bytes`)
      t.equal((await rejection(new Promise<void>((resolve, reject) => {
        store.put(index, Buffer.alloc(size), err => { if (err == null) resolve(); else reject(err) })
      }))).code, 'BW_ERR_PIECE_RANGE')
    }
    for (const [offset, length] of [[98, 3], [-1, 1], [101, 0], [0.5, 1]] as const) {
      t.equal((await rejection(store.read(2, offset, length))).code, 'BW_ERR_PIECE_RANGE', `${length} from ${offset}`)
    }
    t.equal((await put(store, 2, 'later')).size, 100, 'the first result stays')
    await new Promise(resolve => { store.put(2, Buffer.from('replaced'), resolve) })
    t.equal(await get(store, 2), 'replaced', 'but put replaces')
    t.deepEqual([await store.verify(2), await store.verify(7)], [true, false])
    await store.verifyRest()
    const draft = store.receive(5, 1)
    await close(store)
    t.throws(() => store.receive(6, 1), { code: 'BW_ERR_STORE_CLOSED' })
    t.throws(() => store.generate(6), { code: 'BW_ERR_STORE_CLOSED' })
    t.equal((await rejection(draft.write(0, Buffer.from('x')))).code, 'BW_ERR_STORE_CLOSED')
    t.equal((await rejection(store.read(2, 0, 1))).code, 'BW_ERR_STORE_CLOSED')
    await close(store)
    t.pass('closed twice')
  })

  test(`${name}: what is computed`, async t => {
    const store = await open(t, squares(), async index => index === 5 ? never : `computed ${index}`)
    const generation = store.generate(1)
    const { size, digest } = await generation.done
    await generation.ended
    t.deepEqual([generation.piece, size, Buffer.from(digest)], [1, 10, sha256('computed 1')])
    t.equal(await get(store, 1), 'computed 1')
    await put(store, 2, 'downloaded')
    t.deepEqual(Buffer.from((await store.generate(2).done).digest), sha256('downloaded'), 'the first result stays')
    const killed = store.generate(5)
    killed.kill()
    t.equal((await rejection(killed.done)).code, 'BW_ERR_COMMAND_KILLED')
    await killed.ended
    t.equal((await rejection(get(store, 5))).code, 'BW_ERR_PIECE_MISSING')
    await close(store)
  })

  test(`${name}: what is computed although another result is stored`, async t => {
    const store = await open(t)
    const lost: number[] = []
    store.onLost(index => { lost.push(index) })
    t.equal(store.computed(1), undefined)
    await store.generate(1).done
    t.equal(store.computed(1), undefined, 'not asked for')
    const equal = await store.generate(1, { replaces: () => true }).done
    t.deepEqual([equal.discarded, lost], [undefined, []])
    t.ok(sameResult(store.computed(1)!, equal))
    await put(store, 2, 'downloaded')
    const kept = await store.generate(2, { replaces: () => false }).done
    t.deepEqual(Buffer.from(kept.discarded!.digest), sha256('computed 2'))
    t.deepEqual([await get(store, 2), lost, store.computed(2)], ['downloaded', [], undefined])
    const replaced = await store.generate(2, {
      replaces: (own, stored) => own.size === 10 && stored.size === 10 && lost.length === 0
    }).done
    t.deepEqual([replaced.discarded, await get(store, 2), lost], [undefined, 'computed 2', [2]])
    t.ok(sameResult(store.computed(2)!, replaced))
    await close(store)
  })

  test(`${name}: finished files`, async t => {
    const task = squares({ files: [{ path: 'a', parts: 2 }, { path: 'b', parts: 1 }] })
    const store = await open(t, task)
    await put(store, 0, 'zero')
    t.equal((await rejection(store.finishFile(0, { run: true }))).code, 'BW_ERR_PART_MISSING')
    t.equal((await rejection(store.finishFile(2, { run: true }))).code, 'BW_ERR_TASK_PIECE')
    await put(store, 1, 'one')
    const finished = await store.finishFile(0, { run: false })
    t.equal(finished?.length, 7)
    t.match(finished?.path ?? '', /^\/.*squares\/a$/)
    t.deepEqual(await store.finishFile(0, { run: false }), finished, 'once more')
    t.equal(await get(store, 1), 'one', 'its pieces are served')
    await close(store)
    const other = await open(t, squares({ parts: 1, completeCommand: 'true' }))
    await put(other, 0, 'zero')
    t.equal(await other.finishFile(0, { run: false }), null, 'no command may run')
    await close(other)
  })
}
