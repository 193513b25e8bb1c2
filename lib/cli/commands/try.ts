/** `bitworker try`: computes one piece here, and shows what comes of it. */
import { once } from 'node:events'
import process from 'node:process'
import { BitWorkerError } from '../../errors.ts'
import { createTask } from '../../task.ts'
import type { Task } from '../../task.ts'
import { readTrustStore } from '../../trust/files.ts'
import { judgeTask } from '../../trust/judge.ts'
import { confine } from '../confinement.ts'
import type { ConfinementFlags } from '../confinement.ts'
import { describeTask } from '../describe.ts'
import { EXIT, report } from '../failure.ts'
import { escapeLines } from '../format.ts'
import { onInterrupt } from '../interrupt.ts'
import { JsonOutput } from '../json-output.ts'
import type { Bind } from '../../executor/binds.ts'
import { askConsent, demandTerminal } from '../prompt.ts'
import { checkBinds } from '../run/binds.ts'
import { tryPiece } from '../run/try-piece.ts'
import { refuseDenied } from '../signers.ts'
import { readSource } from '../source.ts'

/** The flags as typed. */
export interface TryFlags extends ConfinementFlags {
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

/** A terminal is not flooded with more than this; a file or a pipe gets all. */
const SHOWN_BYTES = 64 * 1024

/** Resolves with the exit code. Throws what is wrong with the arguments. */
export async function tryOut (id: string | undefined, flags: TryFlags): Promise<number> {
  const task = id === undefined ? taskOf(flags) : await readTask(id, flags)
  if (flags.piece >= task.pieceCount) throw usage(`there is no piece ${flags.piece}: the task has ${task.pieceCount}, from 0 on; choose another --piece`)
  await checkBinds(flags.bind)
  const confinement = await confine(flags)
  if (id !== undefined) await consent(task, flags)
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  const out = new JsonOutput(flags.json)
  out.emit('sandbox', confinement.fields)
  try {
    const { piece, bind: binds, json } = flags
    await tryPiece({ task, piece, confinement, binds, out, signal: stop.signal, ...(!json && { onOutput: outputTo(process.stdout) }) })
    return EXIT.done
  } catch (error) {
    return stop.signal.aborted ? EXIT.interrupted : report(error, { ...flags, command: 'try' })
  } finally {
    release()
  }
}

/** A task of one's own, as far as one piece tells it. */
function taskOf ({ command, piece, parts = piece + 1, pieceLength, timeout, memory, scratch }: TryFlags): Task {
  if (command === undefined) throw usage("what is to be tried? say a task file, or --command CMD, such as --command 'echo $PIECE_IDX'")
  return createTask({
    name: 'try',
    command,
    parts,
    ...(pieceLength !== undefined && { pieceLength }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(scratch !== undefined && { scratchBytes: scratch })
  })
}

async function readTask (id: string, { command }: TryFlags): Promise<Task> {
  if (command !== undefined) throw usage('a task has a command of its own; leave out --command, or the task')
  const { task, kind } = await readSource(id)
  if (task !== null) return task
  throw usage(kind === 'remote' ? 'only a task file can be tried; bitworker run fetches what a link names' : `${id} is an ordinary torrent, which runs nothing`)
}

/** As `run` asks: not for tasks of keys that are trusted. Throws BW_ERR_DENIED, BW_ERR_CONSENT, BW_ERR_REFUSED. */
async function consent (task: Task, { yes, bind }: TryFlags): Promise<void> {
  const judgement = judgeTask(task, await readTrustStore(), new Date())
  refuseDenied(judgement)
  if (yes || judgement.verdict === 'trusted') return
  demandTerminal('pass --yes to run it without asking')
  const lines = describeTask(task, { outDir: '.', columns: process.stderr.columns, judgement, binds: bind })
  process.stderr.write(`${lines.join('\n')}\n`)
  await askConsent(new AbortController().signal, 'refused: nothing was run')
}

/** All of it as it is; to a terminal as text that cannot do anything to it. */
function outputTo (stream: NodeJS.WriteStream): (chunk: Buffer) => Promise<void> {
  let left = SHOWN_BYTES
  return async chunk => {
    if (!stream.isTTY) {
      if (!stream.write(chunk)) await once(stream, 'drain')
      return
    }
    if (left <= 0) return
    stream.write(`${escapeLines(chunk.subarray(0, left).toString('utf8')).join('\n')}\n`)
    left -= chunk.length
    if (left < 0) stream.write('… (more than is shown on a terminal; send it to a file to have all)\n')
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}
