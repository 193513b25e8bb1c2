/**
 * For root only: commands in a sandbox run as another user then, who must reach what a complete command needs. All of
 * it stays in folders that only root may enter; a sandbox shows it nevertheless.
 */
import { chmodSync, chownSync, closeSync, fchmodSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { COMMAND_UID, isRoot } from '../../executor/sandbox/host.ts'
import { openRegular } from './io.ts'

/** What a complete command needs: paths outside of the sandbox. */
export interface Shared {
  /** folder of the parts, and names of those that it needs */
  parts: string
  names: string[]
  /** file with the list of them */
  list: string
  /** folder it writes to */
  out: string
}

/** Lets nobody read parts and list, and write to the folder. Does nothing unless we are root. */
export function share ({ parts, names, list, out }: Shared): void {
  if (!isRoot()) return
  chmodSync(parts, 0o755)
  for (const name of names) allowReading(path.join(parts, name))
  chmodSync(list, 0o644)
  chownSync(out, COMMAND_UID, COMMAND_UID)
}

/** chmod(2) would follow a symbolic link. */
function allowReading (part: string): void {
  const fd = openRegular(part)
  try {
    fchmodSync(fd, 0o644)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a file ours that a command wrote: owner, and the mode a new file would have, without set-user-id and the like.
 */
export function reclaim (file: string, mode: number): void {
  if (isRoot()) chownSync(file, 0, 0)
  chmodSync(file, ((mode & 0o111) === 0 ? 0o666 : 0o777) & ~process.umask())
}
