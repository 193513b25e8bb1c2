/**
 * Finds what this version does not know in a task: a key of `bitworker`, a version, a name in `requires`. It may change
 * the command, its environment, or how files are made of its output. Such a task is therefore never computed, and no
 * file is made of its parts: a result is right or there is none. Its pieces can be downloaded from peers that know it,
 * and passed on (docs/task-file.md, "Versions"). Pure. Called by lib/task/command.ts and the code that starts
 * computing.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import type { BitWorkerError } from '../base/errors.ts'
import { unknownInputKeys } from './inputs.ts'
import { quote } from './names.ts'
import { unknownNeeds } from './needs.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { Task } from './types.ts'

/** The version of a `bitworker` dictionary that has none of the later keys. */
const FIRST_VERSION = 1
/** The latest version that this package computes. */
const TASK_VERSION = 2
/** All keys of the dictionary, and the version that introduced each. */
export const TASK_KEYS: ReadonlyMap<string, number> = new Map([
  ['checkers', 2],
  ['command', 1],
  ['compare command', 2],
  ['complete by', 2],
  ['complete command', 1],
  ['complete timeout', 1],
  ['deterministic', 2],
  ['inputs', 2],
  ['memory', 1],
  ['needs', 2],
  ['output pattern', 2],
  ['requires', 1],
  ['root', 2],
  ['scratch', 1],
  ['timeout', 1],
  ['verify command', 2],
  ['verify timeout', 2],
  ['version', 1]
])
/** Beyond this number, features are counted and not named: a message is one line. */
const MAX_NAMED = 5

/**
 * The version to write for a dictionary with these keys: the lowest that has them all. More peers can then compute the
 * task, and a task without later keys keeps its info-hash.
 */
export function versionFor (dict: Readonly<Record<string, unknown>>): number {
  return Math.max(FIRST_VERSION, ...Object.keys(dict)
    .filter(key => dict[key] !== undefined)
    .map(key => TASK_KEYS.get(key) ?? FIRST_VERSION))
}

/** Whether the rules of this version apply to the dictionary. A later version may change them all. */
export function isReadable (dict: Bdict): boolean {
  const version = dict.get('version')
  return typeof version === 'number' && version <= TASK_VERSION
}

/**
 * The features of the dictionary that this version does not know, in words; usually none. Throws BW_ERR_TASK_VERSION if
 * `version` is not a whole number of at least 1.
 */
export function unsupportedIn (dict: Bdict): string[] {
  const version = dict.get('version')
  if (typeof version !== 'number' || version < FIRST_VERSION) {
    throw new TaskFlaw(
      'BW_ERR_TASK_VERSION',
      `The task does not say which format it has (\`version\` must be ${FIRST_VERSION} to ${TASK_VERSION})`
    )
  }
  if (!isReadable(dict)) return [`version ${version} of the format`]
  const keys = [...dict.keys()]
    .filter(key => (TASK_KEYS.get(key) ?? Infinity) > version)
    .map(key => `the key ${quote(key)}`)
  const inInputs = version < TASK_VERSION ? [] : unknownInputKeys(dict.get('inputs'))
  const needs = version < TASK_VERSION ? [] : unknownNeeds(dict.get('needs'))
  return capped([...keys, ...needs, ...inInputs, ...featuresIn(dict.get('requires'))])
}

/** No version defines any feature yet, so every required one is unknown. */
function featuresIn (requires: Bvalue | undefined): string[] {
  if (requires === undefined) return []
  if (!Array.isArray(requires)) return ['a list of features that is not a list']
  return requires
    .map(textOf)
    .map(name => (name === undefined ? 'a feature without a name' : `the feature ${quote(name)}`))
}

function capped (names: string[]): string[] {
  const more = names.length - MAX_NAMED
  return more > 0 ? [...names.slice(0, MAX_NAMED), `${more} more`] : names
}

/** Why nothing of the task is computed here (BW_ERR_TASK_REQUIRES); null if it may be computed. */
export function unsupportedProblem ({ unsupported }: Pick<Task, 'unsupported'>): BitWorkerError | null {
  if (unsupported === undefined) return null
  return taskError(
    'BW_ERR_TASK_REQUIRES',
    `This version of BitWorker does not support what the task needs (${unsupported.join(', ')}), so nothing is computed here, only downloaded. Update BitWorker.`
  )
}

/** True if a file is the concatenation of its parts, as far as this version knows. */
export function isConcatenation ({
  completeCommand, unsupported
}: Pick<Task, 'completeCommand' | 'unsupported'>): boolean {
  return completeCommand === undefined && unsupported === undefined
}
