/**
 * What a task says that this version does not know: a key of `bitworker`, a version, a name in `requires`. It may
 * change what the command is, what it finds or what is made of its output, so such a task is never computed, and no
 * file is made of its parts: a result is right or there is none. Its pieces can be had from peers that know it, and be
 * passed on (docs/task-file.md, "Versions"). Pure. Called by lib/task/command.ts and whoever would compute.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import type { BitWorkerError } from '../base/errors.ts'
import { unknownInputKeys } from './inputs.ts'
import { quote } from './names.ts'
import { unknownNeeds } from './needs.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { Task } from './types.ts'

/** The version of the `bitworker` dictionary without any of the keys that came later. */
const FIRST_VERSION = 1
/** The last version of it that this package computes. */
const TASK_VERSION = 2
/** All keys of the dictionary, by the version that brought them. */
export const TASK_KEYS: ReadonlyMap<string, number> = new Map([
  ['command', 1],
  ['complete command', 1],
  ['complete timeout', 1],
  ['inputs', 2],
  ['memory', 1],
  ['needs', 2],
  ['output pattern', 2],
  ['requires', 1],
  ['scratch', 1],
  ['timeout', 1],
  ['version', 1]
])
/** Known to the format; nobody here fetches it. */
const OUTPUT_AS_INPUT = 'the output of a task as an input'
/** More than this many are counted, not named: a message is one line. */
const MAX_NAMED = 5

/**
 * The version to write for a dictionary of these keys: the lowest that has them, so that whoever can compute the task
 * does, and a task without later keys keeps its info-hash.
 */
export function versionFor (dict: Readonly<Record<string, unknown>>): number {
  return Math.max(FIRST_VERSION, ...Object.keys(dict)
    .filter(key => dict[key] !== undefined)
    .map(key => TASK_KEYS.get(key) ?? FIRST_VERSION))
}

/** Whether the rules of this version hold for the dictionary. A later one may say all in its own way. */
export function isReadable (dict: Bdict): boolean {
  const version = dict.get('version')
  return typeof version === 'number' && version <= TASK_VERSION
}

/**
 * What the dictionary has that this version does not know, in words; none as a rule. Throws BW_ERR_TASK_VERSION where
 * `version` is not a number of at least 1.
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
  // nothing here joins another task yet
  const isOutput = inInputs.length === 0 && version >= TASK_VERSION && hasOutputs(dict.get('inputs'))
  const inputs = isOutput ? [OUTPUT_AS_INPUT] : []
  return capped([...keys, ...needs, ...inInputs, ...inputs, ...featuresIn(dict.get('requires'))])
}

function hasOutputs (inputs: Bvalue | undefined): boolean {
  return Array.isArray(inputs) && inputs.some(input => input instanceof Map && input.has('task'))
}

/** No version defines a feature, so each that is required is unknown. */
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

/** Why nothing of the task is computed here (BW_ERR_TASK_REQUIRES); null if it may be. */
export function unsupportedProblem ({ unsupported }: Pick<Task, 'unsupported'>): BitWorkerError | null {
  if (unsupported === undefined) return null
  return taskError(
    'BW_ERR_TASK_REQUIRES',
    `This version of BitWorker does not support what the task needs (${unsupported.join(', ')}), so nothing is computed here, only downloaded. Update BitWorker.`
  )
}

/** True where a file is its parts one after another, as far as this version knows. */
export function isConcatenation ({
  completeCommand, unsupported
}: Pick<Task, 'completeCommand' | 'unsupported'>): boolean {
  return completeCommand === undefined && unsupported === undefined
}
