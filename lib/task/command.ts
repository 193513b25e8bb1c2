/**
 * What turns an info dictionary into a task: the commands, inside it (`bitworker`) or outside (legacy files), and the
 * digest that identifies them. Pure. Called by lib/task/task.ts.
 */
import { encode, textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import { incrementalSha256 } from '../base/digest.ts'
import type { Remedy } from '../base/errors.ts'
import { readAsks } from './asks.ts'
import type { TaskAsks } from './asks.ts'
import { readInputs, readRootName } from './inputs.ts'
import { readNeeds } from './needs.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { Task } from './types.ts'
import { isReadable, unsupportedIn } from './unsupported.ts'
import { readVerifying } from './verifying.ts'
import type { Verifying } from './verifying.ts'

/** Linux accepts up to 128 KiB as one argument of a program. Half of that leaves room for wrappers. */
const MAX_COMMAND_BYTES = 64 * 1024

const TASK_PREFIX = 'BitWorker/task/1\0'
const LEGACY_PREFIX = 'BitWorker/legacy/1\0'

/** The commands of a task. */
export type Commands = Pick<Task, 'command' | 'completeCommand' | 'completeBy'>

/**
 * Reads the `bitworker` dictionary of an info dictionary. Lists what this version does not know, so that the task is
 * not computed. Throws BW_ERR_TASK_VERSION, BW_ERR_TASK_NO_COMMAND, BW_ERR_TASK_COMMAND, BW_ERR_TASK_TIMEOUT,
 * BW_ERR_TASK_LIMITS, BW_ERR_TASK_INPUT, BW_ERR_TASK_NEEDS, BW_ERR_TASK_CHECKERS.
 */
export function readBitworker (
  value: Bvalue | undefined, pieceCount: number
): Commands & TaskAsks & Verifying & Pick<Task, 'inputs' | 'needs' | 'root' | 'unsupported'> {
  // possible in metadata from a peer
  if (value === undefined)
    throw taskError(
      'BW_ERR_TASK_NO_COMMAND',
      'This is a task of 2014, whose command is only in its file. Get the file from its author.'
    )
  if (!(value instanceof Map)) throw noCommand()
  const unsupported = unsupportedIn(value)
  if (!isReadable(value)) return { command: '', unsupported }
  const commands = readCommands(value)
  const completeBy = value.get('version') === 1 ? undefined : readCompleteBy(value, commands)
  const inputs = value.get('version') === 1 ? undefined : readInputs(value.get('inputs'), pieceCount)
  const root = value.get('version') === 1 ? undefined : readRootName(value.get('root'), inputs)
  const needs = value.get('version') === 1 ? undefined : readNeeds(value.get('needs'))
  return {
    ...commands,
    ...(completeBy !== undefined && { completeBy }),
    ...readAsks(value),
    ...(value.get('version') !== 1 && readVerifying(value, readCommand)),
    ...(inputs !== undefined && { inputs }),
    ...(needs !== undefined && { needs }),
    ...(root !== undefined && { root }),
    ...(unsupported.length > 0 && { unsupported })
  }
}

/** Reads `command` and `complete command`. Throws BW_ERR_TASK_NO_COMMAND, BW_ERR_TASK_COMMAND. */
export function readCommands (dict: Bdict): Commands {
  const command = readCommand(dict, 'command')
  if (command === undefined || command.trim() === '') throw noCommand()
  // Legacy files write an empty command for none.
  const completeCommand = readCommand(dict, 'complete command')
  return { command, ...(completeCommand !== undefined && completeCommand !== '' && { completeCommand }) }
}

/**
 * The task digest: 32 bytes that two peers must have in common to exchange pieces. SHA-256 over
 *
 * - the 17 bytes `BitWorker/task/1\0` and the info dictionary as received; or, for legacy files,
 * - the 19 bytes `BitWorker/legacy/1\0`, a canonical bencoded dictionary of `command` and (if it exists and is not
 *   empty) `complete command`, and the info dictionary as received.
 *
 * @param commands for legacy files only, whose info dictionary does not contain them
 */
export function taskDigest (info: Uint8Array, commands?: Commands): Uint8Array<ArrayBuffer> {
  const hash = incrementalSha256()
  if (commands === undefined) hash.update(TASK_PREFIX)
  else hash.update(LEGACY_PREFIX).update(encode(commandsDict(commands)))
  return new Uint8Array(hash.update(info).digest())
}

/** The commands by their keys in task files. */
export function commandsDict ({ command, completeCommand }: Commands): Record<string, string | undefined> {
  return { command, 'complete command': completeCommand }
}

/** Absent and `all` mean the same. Throws BW_ERR_TASK_COMMAND. */
function readCompleteBy (dict: Bdict, { completeCommand }: Commands): 'author' | undefined {
  const value = dict.has('complete by') ? textOf(dict.get('complete by')) ?? '' : undefined
  if (value === undefined) return undefined
  if (value !== 'author' && value !== 'all') throw badCommand('complete by', 'is neither `author` nor `all`')
  if (completeCommand === undefined) throw badCommand('complete by', 'has no complete command that it is about')
  return value === 'author' ? value : undefined
}

function readCommand (dict: Bdict, key: string): string | undefined {
  const value = dict.get(key)
  if (value === undefined) return undefined
  const text = textOf(value)
  if (text === undefined) throw badCommand(key, 'is not UTF-8 text')
  if (text.includes('\0')) throw badCommand(key, 'contains a NUL character')
  if (Buffer.byteLength(text) > MAX_COMMAND_BYTES) {
    throw badCommand(key, `has ${Buffer.byteLength(text)} bytes; at most ${MAX_COMMAND_BYTES} are allowed`, key === 'command' ? 'shorten' : undefined)
  }
  return text
}

function noCommand (): Error {
  return new TaskFlaw('BW_ERR_TASK_NO_COMMAND', 'The task has no command, so there is nothing to run')
}

function badCommand (key: string, why: string, remedy?: Remedy): Error {
  return new TaskFlaw('BW_ERR_TASK_COMMAND', `The task's ${key} ${why}`, remedy)
}
