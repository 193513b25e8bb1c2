/** Turns errors of the file system into ours. The code depends on what the user can do about them. */
import { BitWorkerError } from '../base/errors.ts'
import type { Remedy } from '../base/errors.ts'

/** The `code` of a system error, e.g. ENOENT; '' for anything else. */
export function errnoOf (err: unknown): string {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' && /^E[A-Z0-9]+$/.test(err.code)
    ? err.code
    : ''
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/**
 * Turns an error of the file system into BW_ERR_DISK_FULL, BW_ERR_SYMLINK or BW_ERR_OUTPUT_FOLDER (blame 'system').
 * Returns any other error unchanged.
 */
export function ioError (err: unknown, path: string): Error {
  const errno = errnoOf(err)
  if (errno === '') return err instanceof Error ? err : new Error(String(err))
  if (FULL.has(errno)) return diskFull(path, err)
  const code = errno === 'ELOOP' ? 'BW_ERR_SYMLINK' : 'BW_ERR_OUTPUT_FOLDER'
  const [why, remedy] = reason(err, errno)
  return new BitWorkerError(code, 'system', `Cannot use ${path}: ${why}`, { cause: err, remedy })
}

/** Creates BW_ERR_DISK_FULL for a path on a full disk. */
export function diskFull (path: string, cause: unknown): BitWorkerError {
  const why =
    errnoOf(cause) === 'EFBIG' ? 'the file is too large for this disk or this user' : 'no space is left on the disk'
  return new BitWorkerError('BW_ERR_DISK_FULL', 'system', `Cannot write ${path}: ${why}. Free some space, then start again.`, {
    cause
  })
}

function reason (err: unknown, errno: string): [why: string, remedy?: Remedy] {
  switch (errno) {
    case 'EACCES': case 'EPERM': return ['permission denied. Choose a folder that you may write to.']
    case 'EROFS': return ['the file system is read-only. Choose another folder.', 'another-folder']
    case 'ENOTDIR': case 'EEXIST':
      return ['it or a part of its path is not a folder. Choose another folder.', 'another-folder']
    case 'ELOOP': return ['it is a symbolic link, and BitWorker does not write through one. Remove it.', 'move-away']
    case 'EMLINK':
      return ['it has another name (a hard link), whose contents would change as well. Remove it.', 'move-away']
    case 'EISDIR': return ['it is a folder. Move it away.', 'move-away']
    case 'EINVAL': case 'ENXIO': return ['it is not a regular file. Remove it.', 'move-away']
    case 'EMFILE': case 'ENFILE': return ['too many files are open. Raise the limit (ulimit -n), or use fewer slots.']
    default: {
      const message = err instanceof Error ? err.message : String(err)
      return [`${message}. Check the disk, or choose another folder.`, 'another-folder']
    }
  }
}
