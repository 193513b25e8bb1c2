/** Computes one piece as `run` would, in a folder that is removed afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { BitWorkerError, CommandError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'
import { noRoots } from '../../executor/failures.ts'
import { explainMissing } from '../../executor/sandbox/missing.ts'
import { obstacleToReading, openHere } from '../../inputs/here.ts'
import type { InputsHere } from '../../inputs/here.ts'
import type { OpenRoot } from '../../inputs/roots/root-cache.ts'
import { openRootHere, rootOf } from '../../inputs/roots/root-supply.ts'
import { pieceResult } from '../../session/events.ts'
import type { ComputedEvent } from '../../session/events.ts'
import { ComputeStore } from '../../store/compute-store.ts'
import { areChecksWithInputs, devicesFor, gpuProblem, needsProblem } from '../../store/missing-needs.ts'
import type { Generation } from '../../store/types.ts'
import { unsupportedProblem } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import { TorrentExecutors } from '../../webtorrent/executors.ts'
import type { ComputeOptions } from '../../webtorrent/options.ts'
import { explain } from '../output/failure.ts'
import { escapeText, formatBytes } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Confinement } from './confinement.ts'
import { headlineOf } from './failures.ts'
import { saidLines } from './said.ts'

/** Options of `tryPiece`. */
export interface TryOptions {
  task: Task
  /** its index */
  piece: number
  confinement: Confinement
  binds: Bind[]
  out: JsonOutput
  signal: AbortSignal
  /** receives the output, chunk by chunk; default: discarded */
  onOutput?: (chunk: Buffer) => Promise<void>
}

/**
 * Why the task cannot be tried here (BW_ERR_TASK_REQUIRES, BW_ERR_NEEDS, BW_ERR_NO_SANDBOX, or as `obstacleToReading`);
 * null if it can. Rejects with the signal's reason.
 */
export async function obstacleToTrying (
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
        `No sandbox works here, so nothing can be tried. ${fields.problems.join(' ')} See bitworker doctor.`
      )
}

/** Bytes of output that are read at a time. */
const WINDOW_BYTES = 1024 * 1024

/**
 * Runs the piece, and prints the result on stderr. Throws the errors of `RunningItem.done`, BW_ERR_NO_SANDBOX,
 * BW_ERR_TASK_REQUIRES, BW_ERR_NEEDS, and the errors of `openHere` and the store.
 */
export async function tryPiece ({ task, piece, confinement, binds, out, signal, onOutput }: TryOptions): Promise<void> {
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
    const choice = await executors.choose(task, Promise.resolve(), () => compute, () => {})
    if (choice === null) return
    store.configure({ executor: choice.executor, devices: devicesFor(task, compute.gpu) })
    await store.open()
    const rootInput = rootOf(task)
    if (rootInput !== undefined) {
      if (choice.executor.hasRoots !== true) throw noRoots()
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
    const computed = await untilEnded(store.generate(piece), signal)
    const shownBytes = onOutput === undefined ? 0 : computed.size
    for (let at = 0; at < shownBytes; at += WINDOW_BYTES) {
      await onOutput?.(await store.read(piece, at, Math.min(WINDOW_BYTES, computed.size - at)))
    }
    out.emit('tried', {
      ...pieceResult(piece, computed), ms: computed.ms, stderr: computed.stderr
    } satisfies ComputedEvent)
    process.stderr.write(
      [
        ...saidLines(computed.stderr),
        `piece ${piece}: ${formatBytes(computed.size)} in ${(computed.ms / 1000).toFixed(2)} s`,
        ''
      ].join('\n')
    )
  } catch (err) {
    if (err instanceof CommandError) {
      const { code, exitCode, signal: killedBy, stderr, message } = err
      out.emit('failed', { piece, code, exitCode, signal: killedBy, stderr, message })
      const why = confinement.fields.tier === 'none' || task.root !== undefined ? null : explainMissing({ exitCode, stderr })
      const lines = [...saidLines(stderr), ...why === null ? [] : [`  ${escapeText(why)}`]]
      process.stderr.write(lines.map(line => `${line}\n`).join(''))
      throw new CommandError(code, headlineOf(err), err, { cause: err })
    }
    throw err
  } finally {
    await new Promise<void>(resolve => { if (store === undefined) resolve(); else store.close(() => { resolve() }) })
    await executors.close()
    await opened?.close()
    root?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function untilEnded (generation: Generation, signal: AbortSignal): Promise<Awaited<Generation['done']>> {
  const kill = (): void => { generation.kill() }
  signal.addEventListener('abort', kill)
  // it may have been aborted before anything ran
  if (signal.aborted) kill()
  try {
    return await generation.done
  } finally {
    signal.removeEventListener('abort', kill)
  }
}
