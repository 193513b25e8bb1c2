/**
 * For root only: commands in a sandbox then run as another user, who must be able to reach the files of a complete
 * command. They stay in folders that only root may enter; the sandbox mounts them nevertheless.
 */
import { chmodSync, chownSync, closeSync, fchmodSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { COMMAND_UID, isRoot } from '../../executor/sandbox/host.ts'
import { openRegular } from '../../system/file-io.ts'

/** What a complete command needs: paths outside the sandbox. */
export interface Shared {
  /** the folder of the parts, and the names of those that it needs */
  parts: string
  names: string[]
  /** the file that lists them */
  list: string
  /** the folder that it writes to */
  out: string
}

/** Allows the commands' user to read parts and list, and to write to the folder. Does nothing unless we are root. */
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
 * Takes ownership of a file that a command wrote, and gives it the mode of a new file, without set-user-id and the
 * like.
 */
export function reclaim (file: string, mode: number): void {
  if (isRoot()) chownSync(file, 0, 0)
  chmodSync(file, ((mode & 0o111) === 0 ? 0o666 : 0o777) & ~process.umask())
}
