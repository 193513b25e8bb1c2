/**
 * What a task says that this version does not know: a key of `bitworker`, a version, a name in `requires`. It may
 * change what the command is, what it finds or what is made of its output, so such a task is never computed, and no
 * file is made of its parts: a result is right or there is none. Its pieces can be had from peers that know it, and be
 * passed on (docs/task-file.md, "Versions"). Pure. Called by lib/task/command.ts and whoever would compute.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import type { BitWorkerError } from '../base/errors.ts'
import { quote } from './names.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { Task } from './types.ts'

/** The version of the `bitworker` dictionary that this package writes, and the only one that it computes. */
export const TASK_VERSION = 1
/** All keys of the dictionary, in version 1. */
export const TASK_KEYS: ReadonlySet<string> = new Set([
  'command', 'complete command', 'complete timeout', 'memory', 'requires', 'scratch', 'timeout', 'version'
])
/** More than this many are counted, not named: a message is one line. */
const MAX_NAMED = 5

/**
 * What the dictionary has that this version does not know, in words; none as a rule. Throws BW_ERR_TASK_VERSION where
 * `version` is not a number of at least 1.
 */
export function unsupportedIn (dict: Bdict): string[] {
  const version = dict.get('version')
  if (typeof version !== 'number' || version < TASK_VERSION) {
    throw new TaskFlaw(
      'BW_ERR_TASK_VERSION', `The task does not say which format it has (\`version\` must be ${TASK_VERSION})`
    )
  }
  // a later version may say all the rest in its own way
  if (version !== TASK_VERSION) return [`version ${version} of the format`]
  const keys = [...dict.keys()].filter(key => !TASK_KEYS.has(key)).map(key => `the key ${quote(key)}`)
  return capped([...keys, ...featuresIn(dict.get('requires'))])
}

/** Version 1 defines no feature, so each that is required is unknown. */
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
    `The task needs what this version of BitWorker does not know: ${unsupported.join(', ')}; nothing is computed here, only downloaded. Update BitWorker.`
  )
}

/** True where a file is its parts one after another, as far as this version knows. */
export function isConcatenation ({
  completeCommand, unsupported
}: Pick<Task, 'completeCommand' | 'unsupported'>): boolean {
  return completeCommand === undefined && unsupported === undefined
}
