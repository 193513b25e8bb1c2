/**
 * Where things of this machine are in a sandbox. Pure.
 */
import path from 'node:path'
import { SCRATCH } from './bwrap-args.ts'
import type { Mount } from './bwrap-args.ts'

/** What the volunteer gives a command, in its working directory, read-only. */
export function mountsOf (binds: ReadonlyArray<{ path: string, name: string }>): Mount[] {
  return binds.map(bind => ({ path: bind.path, at: path.posix.join(SCRATCH, bind.name) }))
}
