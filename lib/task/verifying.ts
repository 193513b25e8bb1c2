/**
 * What a task says about verifying its results: reads (strictly) and writes the keys `verify command`, `verify
 * timeout`, `compare command`, `deterministic` and `checkers` of a `bitworker` dictionary of version 2. Pure. Called by
 * lib/task/command.ts and lib/task/create.ts.
 */
import type { Bdict, Bvalue, Encodable } from '../base/bencode.ts'
import { hexOf } from '../base/digest.ts'
import { checkTimeout } from './asks.ts'
import { whyNoPublicKey } from './ed25519.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { Task } from './types.ts'

/** What a task says about verifying its results. */
export type Verifying = Pick<
  Task, 'verifyCommand' | 'verifyTimeoutMs' | 'compareCommand' | 'deterministic' | 'checkers'
>

/** Reads a command by its key, or undefined; throws for what no command can be. */
type ReadCommand = (dict: Bdict, key: string) => string | undefined

const MAX_CHECKERS = 8
const HEX_KEY = /^[0-9a-f]{64}$/

/** Reads the keys. Throws BW_ERR_TASK_COMMAND, BW_ERR_TASK_TIMEOUT, BW_ERR_TASK_CHECKERS. */
export function readVerifying (dict: Bdict, readCommand: ReadCommand): Verifying {
  const command = (key: string): string | undefined => {
    const text = readCommand(dict, key)
    if (text?.trim() === '') throw flaw(`The task's ${key} is empty`)
    return text
  }
  const verifyCommand = command('verify command')
  const compareCommand = command('compare command')
  const timeout = dict.has('verify timeout') ? checkTimeout(dict.get('verify timeout'), 'verify timeout') : undefined
  if (timeout !== undefined && verifyCommand === undefined) {
    throw new TaskFlaw('BW_ERR_TASK_TIMEOUT', "The task's verify timeout has no verify command that it is about")
  }
  const deterministic = dict.get('deterministic')
  if (deterministic !== undefined && deterministic !== 0 && deterministic !== 1) {
    throw flaw("The task's `deterministic` is neither 0 nor 1")
  }
  const checkers = readCheckers(dict.get('checkers'))
  return {
    ...(verifyCommand !== undefined && { verifyCommand }),
    ...(timeout !== undefined && { verifyTimeoutMs: timeout * 1000 }),
    ...(compareCommand !== undefined && { compareCommand }),
    ...(deterministic !== undefined && { deterministic: deterministic === 1 }),
    ...(checkers !== undefined && { checkers })
  }
}

function readCheckers (value: Bvalue | undefined): string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_CHECKERS) {
    throw badCheckers(`a \`checkers\` that is not a list of 1 to ${MAX_CHECKERS} keys`)
  }
  const keys = value.map(key => {
    if (!(key instanceof Uint8Array)) throw badCheckers('a checker that is not a key')
    const why = whyNoPublicKey(key)
    if (why !== null) throw badCheckers(`a checker whose key ${why}`)
    return hexOf(key)
  })
  if (new Set(keys).size < keys.length) throw badCheckers('the same checker twice')
  return keys
}

/** The entries to write. Throws BW_ERR_TASK_OPTIONS for values that cannot be written, BW_ERR_TASK_TIMEOUT. */
export function verifyingDict (
  { verifyCommand, verifyTimeoutMs, compareCommand, deterministic, checkers = [] }: Verifying
): Record<string, Encodable | undefined> {
  if (deterministic !== undefined && typeof deterministic !== 'boolean') {
    throw badOption('deterministic must be true or false.')
  }
  if (!Array.isArray(checkers) || !checkers.every(key => typeof key === 'string' && HEX_KEY.test(key))) {
    throw badOption('checkers must be a list of public keys of 64 lower-case hex digits.')
  }
  return {
    'verify command': verifyCommand,
    'verify timeout': verifyTimeoutMs === undefined ? undefined : checkTimeout(verifyTimeoutMs / 1000, 'verify timeout'),
    'compare command': compareCommand,
    deterministic: deterministic === undefined ? undefined : deterministic ? 1 : 0,
    checkers: checkers.length === 0 ? undefined : checkers.map(key => new Uint8Array(Buffer.from(key, 'hex')))
  }
}

function flaw (what: string): TaskFlaw { return new TaskFlaw('BW_ERR_TASK_COMMAND', what) }

function badCheckers (what: string): TaskFlaw { return new TaskFlaw('BW_ERR_TASK_CHECKERS', `The task has ${what}`) }

function badOption (message: string): Error { return taskError('BW_ERR_TASK_OPTIONS', message, 'usage') }
