/** `bitworker cat`: writes the output of a task to stdout, in order, while it is computed. */
import { Reader } from '../run/reader.ts'
import { run } from './run.ts'
import type { RunFlags } from './run.ts'

/** The flags as typed. */
export type CatFlags = Omit<RunFlags, 'json' | 'exit'>

/**
 * Resolves with the exit code, when all is written or nobody reads it any more. Throws errors in the arguments.
 * @param file one of the task's files; default: all, one after the other
 */
export async function cat (id: string, file: string | undefined, flags: CatFlags): Promise<number> {
  const reader = new Reader(file)
  try {
    return await run(id, { ...flags, json: false, exit: true }, reader)
  } finally {
    reader.close()
  }
}
