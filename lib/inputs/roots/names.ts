/**
 * The rules for names in the archive of a root, and the entries that do not count. Pure. Called by the code that
 * unpacks such archives, and by the code that makes them.
 */
import { BitWorkerError } from '../../base/errors.ts'
import { ROOT_FILES, ROOT_FOLDERS } from '../../executor/sandbox/scratch.ts'
import { quote } from '../../task/names.ts'

const MAX_NAME_BYTES = 255
/** Linux accepts 4096, and the folder that it is unpacked into has a path, too. */
const MAX_PATH_BYTES = 3000
const MAX_LINK_BYTES = 4095
const MAX_DEPTH = 64
/** The name was not valid UTF-8, and would be changed. */
const REPLACED = '\u{FFFD}'
/** A sandbox puts something of its own there, so nothing of it would be seen. */
const COVERED = new Set([...ROOT_FILES, ...ROOT_FOLDERS].map(place => place.slice(1)))

/** A rule that the archive of a root breaks. */
export class RootFlaw extends BitWorkerError {
  /** what is wrong, without a full stop */
  readonly what: string

  constructor (what: string, options?: ErrorOptions) {
    super('BW_ERR_ROOT', 'input', `The root of the task ${what}; nothing of it is used. Ask its author to correct it.`, options)
    this.what = what
  }
}

/**
 * The components of a name in an archive, relative to the root in any form (`usr`, `./usr`, `/usr`). Empty for the root
 * itself. Throws RootFlaw.
 */
export function componentsOf (name: string): string[] {
  const components = name.split('/').filter(component => component !== '' && component !== '.')
  const bytes = components.map(component => Buffer.byteLength(component))
  if (components.includes('..')) throw new RootFlaw(`has a name with ".." in it: ${quote(name)}`)
  if (name.includes('\0') || name.includes(REPLACED)) throw new RootFlaw(`has a name that is not text: ${quote(name)}`)
  if (components.length > MAX_DEPTH) throw new RootFlaw(`has a file in more than ${MAX_DEPTH} folders: ${quote(name)}`)
  if (bytes.some(length => length > MAX_NAME_BYTES)) {
    throw new RootFlaw(`has a name of more than ${MAX_NAME_BYTES} bytes: ${quote(name)}`)
  }
  if (bytes.reduce((sum, length) => sum + length + 1, 0) > MAX_PATH_BYTES) {
    throw new RootFlaw(`has a path of more than ${MAX_PATH_BYTES} bytes: ${quote(name)}`)
  }
  return components
}

/** Whether the sandbox's own contents hide the path; such entries are ignored. */
export function isCovered ([first]: readonly string[]): boolean {
  return first !== undefined && COVERED.has(first)
}

/**
 * Checks the target of a symbolic link at a path of the root. An absolute target is relative to the root, which will be
 * `/`. The target need not exist. Throws RootFlaw for a target above the root: there is nothing above it in a sandbox,
 * so the link was made for another place.
 */
export function checkLink (at: readonly string[], target: string): void {
  const link = `${quote(at.join('/'))} -> ${quote(target)}`
  if (target === '' || target.includes('\0') || target.includes(REPLACED)) {
    throw new RootFlaw(`has a symbolic link to what is not text: ${link}`)
  }
  if (Buffer.byteLength(target) > MAX_LINK_BYTES) throw new RootFlaw(`has a symbolic link that is too long: ${link}`)
  let depth = target.startsWith('/') ? 0 : at.length - 1
  for (const component of target.split('/')) {
    if (component === '..') depth--
    else if (component !== '' && component !== '.') depth++
    if (depth < 0) throw new RootFlaw(`has a symbolic link that leads out of it: ${link}`)
  }
}
