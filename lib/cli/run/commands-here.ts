/** Runs the commands of a task outside its swarm, as `run` would, in a folder that is removed afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'
import { noRoots } from '../../executor/failures.ts'
import { obstacleToReading, openHere } from '../../inputs/here.ts'
import type { InputsHere } from '../../inputs/here.ts'
import type { OpenRoot } from '../../inputs/roots/root-cache.ts'
import { openRootHere, rootOf } from '../../inputs/roots/root-supply.ts'
import { ComputeStore } from '../../store/compute-store.ts'
import { areChecksWithInputs, devicesFor, gpuProblem, needsProblem } from '../../store/missing-needs.ts'
import { unsupportedProblem } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import { TorrentExecutors } from '../../webtorrent/executors.ts'
import type { ComputeOptions } from '../../webtorrent/options.ts'
import { explain } from '../output/failure.ts'
import type { Confinement } from './confinement.ts'

/** What is computed, and how. */
export interface CommandsHere {
  task: Task
  confinement: Confinement
  binds: Bind[]
  signal: AbortSignal
}

/**
 * Why nothing of the task can be computed here (BW_ERR_TASK_REQUIRES, BW_ERR_NEEDS, BW_ERR_NO_SANDBOX, or as
 * `obstacleToReading`); null if it can. Rejects with the signal's reason.
 */
export async function obstacleToComputing (
  task: Task, { mayCompute, fields, options }: Confinement, signal?: AbortSignal
): Promise<BitWorkerError | null> {
  const unsupported = unsupportedProblem(task)
  if (unsupported !== null) return unsupported
  const needed = gpuProblem(task, options.gpu)
  if (needed !== null) return needed
  return mayCompute
    ? await obstacleToReading(task, signal)
    : new BitWorkerError(
        'BW_ERR_NO_SANDBOX',
        'system',
        `No sandbox works here, so nothing can be computed. ${fields.problems.join(' ')} See bitworker doctor.`
      )
}

/**
 * Calls `use` with a store that computes pieces of the task, and is removed afterwards. Throws BW_ERR_NO_SANDBOX,
 * BW_ERR_TASK_REQUIRES, BW_ERR_NEEDS, and the errors of `openHere` and the store.
 */
export async function withCommands<T> (
  { task, confinement, binds, signal }: CommandsHere, use: (store: ComputeStore) => Promise<T>
): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bitworker-try-'))
    .catch((error: unknown) => { throw explain(error, `${os.tmpdir()}, the folder for temporary files (TMPDIR)`) })
  const executors = new TorrentExecutors()
  let store: ComputeStore | undefined
  let root: OpenRoot | undefined
  let opened: InputsHere | undefined
  try {
    const compute: ComputeOptions = confinement.options
    const shown = binds.map(bind => ({ ...bind, path: path.resolve(bind.path) }))
    store = new ComputeStore({ task, path: folder, binds: shown })
    // null only if it were no longer wanted
    const { executor } = (await executors.choose(task, Promise.resolve(), () => compute, () => {}))!
    store.configure({ executor, devices: devicesFor(task, compute.gpu) })
    await store.open()
    const rootInput = rootOf(task)
    if (rootInput !== undefined) {
      if (executor.hasRoots !== true) throw noRoots()
      root = await openRootHere(rootInput, task.pieceCount, signal)
      store.configure({ root: root.path })
    }
    opened = await openHere(task, signal)
    const inputs = task.inputs === undefined ? null : opened.forCommands(() => store!.newPath())
    if (inputs !== null) store.configure({ inputs })
    const missing = task.needs === undefined && rootInput === undefined ? [] : await store.missingNeeds()
    if (inputs !== null && areChecksWithInputs(task)) {
      missing.push(...await store.failingCommands(await inputs.forFile()))
    }
    if (missing.length > 0) throw needsProblem(missing)
    return await use(store)
  } finally {
    if (store !== undefined) await closed(store)
    await executors.close()
    await opened?.close()
    root?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Closes a store. Never rejects. */
async function closed (store: ComputeStore): Promise<void> {
  await new Promise<void>(resolve => { store.close(() => { resolve() }) })
}

/** Resolves with what the command gave. An abort kills it. */
export async function untilEnded<T> (
  running: { readonly done: Promise<T>, kill (): void }, signal: AbortSignal
): Promise<T> {
  const kill = (): void => { running.kill() }
  signal.addEventListener('abort', kill)
  // it may have been aborted before anything ran
  if (signal.aborted) kill()
  try {
    return await running.done
  } finally {
    signal.removeEventListener('abort', kill)
  }
}
