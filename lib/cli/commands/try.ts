/** `bitworker try`: computes one piece on this machine, and shows the result. */
import { once } from 'node:events'
import process from 'node:process'
import { BitWorkerError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'
import { createTask } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { EXIT } from '../output/failure.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkBinds } from '../run/binds.ts'
import { obstacleToComputing } from '../run/commands-here.ts'
import { confine } from '../run/confinement.ts'
import type { ConfinementFlags } from '../run/confinement.ts'
import { consentToComputing } from '../run/consent.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { lookUp } from '../run/lookup.ts'
import { outputShownOn } from '../run/said.ts'
import { readSource } from '../run/source.ts'
import { tryPiece } from '../run/try-piece.ts'

/** The flags as typed. */
export interface TryFlags extends ConfinementFlags, NetworkFlags {
  command?: string
  piece: number
  parts?: number
  pieceLength?: number
  /** seconds */
  timeout?: number
  /** bytes */
  memory?: number
  scratch?: number
  yes: boolean
  bind: Bind[]
  json: boolean
  debug: boolean
}

/** Longest output shown on a terminal; a file or a pipe receives all of it. */
const SHOWN_BYTES = 64 * 1024
/** How long to look up a link. */
const LOOKUP_SECONDS = 60

/** Resolves with the exit code. Throws errors in the arguments, and the error of a failed command. */
export async function tryOut (id: string | undefined, flags: TryFlags): Promise<number> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    await tryOne(id, flags, stop.signal)
    return EXIT.done
  } catch (error) {
    if (stop.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    release()
  }
}

async function tryOne (id: string | undefined, flags: TryFlags, signal: AbortSignal): Promise<void> {
  const { piece, bind: binds, json } = flags
  const task = id === undefined ? taskOf(flags) : await readTask(id, flags, signal)
  const confinement = await confine(flags)
  const problem = await obstacleToComputing(task, confinement, signal)
  if (problem !== null) throw problem
  if (piece >= task.pieceCount) {
    throw usage(`There is no piece ${piece}: the pieces of this task are 0 to ${task.pieceCount - 1}. Choose another --piece.`)
  }
  await checkBinds(binds)
  if (id !== undefined) await consentToComputing(task, flags, signal)
  const out = new JsonOutput(json)
  out.emit('sandbox', confinement.fields)
  await tryPiece({ task, piece, confinement, binds, out, signal, ...(!json && { onOutput: outputTo(process.stdout) }) })
}

/** A task made of the flags, as far as one piece needs it. */
function taskOf ({ command, piece, parts = piece + 1, pieceLength, timeout, memory, scratch, gpu }: TryFlags): Task {
  if (command === undefined) {
    throw usage("There is nothing to try. Name a task file, or pass --command CMD, for example --command 'echo $PIECE_IDX'.")
  }
  return createTask({
    name: 'try',
    command,
    parts,
    ...(pieceLength !== undefined && { pieceLength }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(scratch !== undefined && { scratchBytes: scratch }),
    ...(gpu && { needs: { gpu } })
  })
}

async function readTask (id: string, flags: TryFlags, signal: AbortSignal): Promise<Task> {
  if (flags.command !== undefined) throw usage('A task already has a command. Leave out either --command or the task.')
  const source = await readSource(id)
  const task =
    source.kind === 'remote'
      ? await lookUp(source, { flags, seconds: LOOKUP_SECONDS, signal }, torrent => torrent.task)
      : source.task
  if (task === null) throw usage(`${id} is an ordinary torrent, which has no command to try.`)
  return task
}

/** The whole output unchanged; for a terminal, as text that is safe to print. */
function outputTo (stream: NodeJS.WriteStream): (chunk: Buffer) => Promise<void> {
  return stream.isTTY
    ? outputShownOn(stream, SHOWN_BYTES)
    : async chunk => {
      if (!stream.write(chunk)) await once(stream, 'drain')
    }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}
