/**
 * The rules for file names in tasks and their inputs. The names come from strangers, and end up on this machine's disk,
 * screen and command lines. A name that could leave the task's folder, conceal what it is, or be ambiguous on some disk
 * is therefore rejected, never repaired. Called by lib/task/info.ts, lib/task/inputs.ts and lib/inputs/metainfo.ts.
 */
import { TaskFlaw } from './types.ts'

/** In bytes: what every common file system accepts in one name. */
const MAX_COMPONENT_BYTES = 255
const MAX_DEPTH = 32
/** Leaves room for the path of the task's folder within Linux's 4096 bytes (2048 in many tools). */
const MAX_PATH_BYTES = 1024
/** The folder beside the finished files that contains parts and journal. */
const RESERVED = '.bitworker'

// Control characters (C0, DEL, C1), line and paragraph separators, and characters that reverse the direction of text.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Surrogate}]/u
const UNPRINTABLES = new RegExp(UNPRINTABLE, 'gu')
const MAX_QUOTE = 60

/** Quotes untrusted text for an error message: one line, escaped, truncated to about 60 characters. */
export function quote (text: string): string {
  const cut = text.length > MAX_QUOTE ? text.slice(0, MAX_QUOTE) + '…' : text
  return '"' + cut.replace(UNPRINTABLES, c => `\\u{${c.codePointAt(0)!.toString(16)}}`) + '"'
}

/** Checks the components of every file's path, and all paths for collisions. Throws BW_ERR_TASK_NAME. */
export function checkPaths (paths: readonly string[][]): void {
  const problem = pathsProblem(paths)
  if (problem !== null) throw new TaskFlaw('BW_ERR_TASK_NAME', `The task's file name ${problem}`)
}

/** What is wrong with one of the paths, or between two of them, starting with its name; null if nothing is. */
export function pathsProblem (paths: readonly string[][]): string | null {
  for (const path of paths) {
    const problem = pathProblem(path)
    if (problem !== null) return problem
  }
  return collisionIn(paths)
}

function pathProblem (path: readonly string[]): string | null {
  for (const component of path) {
    const why = componentProblem(component)
    if (why !== null) return `${quote(component)} ${why}`
  }
  const joined = path.join('/')
  const why =
    path.length > MAX_DEPTH
      ? `has ${path.length} components; at most ${MAX_DEPTH} are allowed`
      : Buffer.byteLength(joined) > MAX_PATH_BYTES
        ? `is longer than ${MAX_PATH_BYTES} bytes`
        : fold(path[0]!) === RESERVED
          ? `begins with ${RESERVED}, which is reserved`
          : null
  return why === null ? null : `${quote(joined)} ${why}`
}

// Names that Windows treats as devices, whatever follows the first dot, and characters and endings that it does not
// allow: a peer on Windows must get all files, under these very names.
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ ]*(?:\.|$)/i
const NOT_ON_WINDOWS = /[<>:"|?*]/

function componentProblem (name: string): string | null {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'does not name a file'
  if (/[/\\]/.test(name)) return 'contains a slash or a backslash'
  if (UNPRINTABLE.test(name)) return 'contains a control character, or one that changes the text direction'
  if (NOT_ON_WINDOWS.test(name)) return 'contains one of < > : " | ? *, which some file systems do not allow'
  if (/[ .]$/.test(name)) return 'ends with a dot or a space, which some file systems do not allow'
  if (DEVICE.test(name)) return 'is a device name on Windows'
  return Buffer.byteLength(name) > MAX_COMPONENT_BYTES ? `is longer than ${MAX_COMPONENT_BYTES} bytes` : null
}

/** Finds two files that are the same on some disks, or a file that is also another file's folder. */
function collisionIn (paths: readonly string[][]): string | null {
  const files = new Map<string, string>()
  for (const path of paths) {
    const joined = path.join('/')
    const other = files.get(fold(joined))
    if (other !== undefined) return `${quote(joined)} is the same file as ${quote(other)} on some disks`
    files.set(fold(joined), joined)
  }
  for (const path of paths) {
    for (let depth = 1; depth < path.length; depth++) {
      const folder = files.get(fold(path.slice(0, depth).join('/')))
      if (folder !== undefined) return `${quote(folder)} is a file and also the folder of ${quote(path.join('/'))}`
    }
  }
  return null
}

/** Equal for paths that are the same on a disk that ignores case and Unicode normalisation. */
function fold (path: string): string {
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
}
