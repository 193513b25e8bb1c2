/** Tasks, and stores of them that are closed when the test ends. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { Result } from '../../lib/results/result.ts'
import { ComputeStore } from '../../lib/store/compute-store.ts'
import type { ComputeStoreOptions } from '../../lib/store/compute-store.ts'
import type { ChunkStore, GetOptions, PieceStore } from '../../lib/store/types.ts'
import { StoreLayout } from '../../lib/store/files/layout.ts'
import { createTask } from '../../lib/task/task.ts'
import type { CreateTaskOptions, Task } from '../../lib/task/task.ts'
import { cleanUp } from './disk.ts'

export type OpenStore = ComputeStore & { task: Task, layout: StoreLayout, lost: number[] }

/** A task named 'squares' of one file, unless said otherwise. */
export function squares (opts: Partial<CreateTaskOptions> = {}): Task {
  const shape = opts.files === undefined ? { parts: 8 } : {}
  return createTask({ name: 'squares', command: 'echo $((PIECE_IDX*PIECE_IDX))', pieceLength: 100, ...shape, ...opts })
}

/** A store of the task in the folder, not yet open. */
export function createStore (t: Test, task: Task, folder: string, opts: Partial<ComputeStoreOptions> = {}): OpenStore {
  const executor = opts.executor ?? new BashExecutor()
  const store = new ComputeStore({ task, path: folder, executor, ...opts })
  const lost: number[] = []
  store.on('lost', index => { lost.push(index) })
  cleanUp(t, async () => {
    await close(store)
    await executor.close()
  })
  return Object.assign(store, { task, layout: new StoreLayout(folder, task.infoHash), lost })
}

/** A store of the task in the folder, open. */
export async function openStore (
  t: Test, task: Task, folder: string, opts: Partial<ComputeStoreOptions> = {}
): Promise<OpenStore> {
  const store = createStore(t, task, folder, opts)
  await store.open()
  return store
}

/** Closes a store. */
export async function close (store: Pick<ChunkStore, 'close'>): Promise<void> {
  await new Promise<void>((resolve, reject) => { store.close(err => { if (err == null) resolve(); else reject(err) }) })
}

/** Bytes of a piece, or of a part of it. */
export async function get (store: Pick<ChunkStore, 'get'>, index: number, opts?: GetOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    store.get(index, opts, (err, chunk) => {
      if (chunk === undefined) reject(err ?? new Error('no chunk'))
      else resolve(chunk.toString('latin1'))
    })
  })
}

/** Stores a piece as a download does; resolves with what is stored. */
export async function put (
  store: Pick<PieceStore, 'receive'>, index: number, content: string | Uint8Array
): Promise<Result> {
  const bytes = Buffer.from(content)
  const draft = store.receive(index, bytes.length)
  try {
    await draft.write(0, bytes)
    return await draft.commit({ size: bytes.length, digest: sha256(bytes) })
  } catch (err) {
    draft.discard()
    throw err
  }
}

/** SHA-256. */
export function sha256 (bytes: string | Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

/** All regular files below a folder, relative and sorted. */
export function filesIn (folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => !lstatSync(path.join(folder, name)).isDirectory()).sort((a, b) => a < b ? -1 : 1)
}
