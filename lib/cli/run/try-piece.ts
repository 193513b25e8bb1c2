/** Computes one piece as `run` would, and prints what it said. */
import { CommandError } from '../../base/errors.ts'
import { explainMissing } from '../../executor/sandbox/missing.ts'
import { pieceResult } from '../../session/events.ts'
import type { ComputedEvent } from '../../session/events.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import { escapeText, formatBytes } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import { untilEnded, withCommands } from './commands-here.ts'
import type { CommandsHere } from './commands-here.ts'
import { headlineOf } from './failures.ts'
import { saidLines } from './said.ts'

/** Options of `tryPiece`. */
export interface TryOptions extends CommandsHere {
  /** its index */
  piece: number
  out: JsonOutput
  /** receives the output, chunk by chunk; default: discarded */
  onOutput?: (chunk: Buffer) => Promise<void>
}

/** Bytes of output that are read at a time. */
const WINDOW_BYTES = 1024 * 1024

/**
 * Runs the piece, and prints the result on stderr. Throws the errors of `RunningItem.done` and of `withCommands`.
 */
export async function tryPiece (options: TryOptions): Promise<void> {
  const { task, piece, confinement, out } = options
  try {
    await withCommands(options, async store => { await tryIn(store, options) })
  } catch (err) {
    if (err instanceof CommandError) {
      const { code, exitCode, signal: killedBy, stderr, cost, message } = err
      out.emit('failed', { piece, code, exitCode, signal: killedBy, stderr, ...cost, message })
      const why = confinement.fields.tier === 'none' || task.root !== undefined ? null : explainMissing({ exitCode, stderr })
      const lines = [...saidLines(stderr), ...why === null ? [] : [`  ${escapeText(why)}`]]
      process.stderr.write(lines.map(line => `${line}\n`).join(''))
      throw new CommandError(code, headlineOf(err), err, { cause: err })
    }
    throw err
  }
}

async function tryIn (store: ComputeStore, { piece, out, signal, onOutput }: TryOptions): Promise<void> {
  const computed = await untilEnded(store.generate(piece), signal)
  const shownBytes = onOutput === undefined ? 0 : computed.size
  for (let at = 0; at < shownBytes; at += WINDOW_BYTES) {
    await onOutput?.(await store.read(piece, at, Math.min(WINDOW_BYTES, computed.size - at)))
  }
  out.emit('tried', {
    ...pieceResult(piece, computed),
    ms: computed.ms,
    cpuMs: computed.cpuMs ?? null,
    memoryBytes: computed.memoryBytes ?? null,
    stderr: computed.stderr
  } satisfies ComputedEvent)
  process.stderr.write(
    [
      ...saidLines(computed.stderr),
      `piece ${piece}: ${formatBytes(computed.size)} in ${(computed.ms / 1000).toFixed(2)} s`,
      ''
    ].join('\n')
  )
}
