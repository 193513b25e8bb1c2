/**
 * What a task asks for its commands: time, memory, space in the scratch folder. The volunteer decides what they get
 * (executor/limits.ts). Pure. Called by lib/task/command.ts, lib/task/create.ts, and the code that runs or describes a
 * task.
 */
import type { Bdict, Encodable } from '../base/bencode.ts'
import { TaskFlaw } from './types.ts'
import type { Task } from './types.ts'

/** The limits that a task may ask for. */
export type TaskAsks = Pick<Task, 'timeoutMs' | 'completeTimeoutMs' | 'memoryBytes' | 'scratchBytes'>

const MAX_TIMEOUT_S = 31_536_000
const COMPLETE_MS = 86_400_000
/** bash does not start with less. */
const MIN_ASKED_BYTES = 2 ** 20
/** 1 TiB. Sums of it stay far below the limit of exact integers. */
const MAX_ASKED_BYTES = 2 ** 40

/** Reads the limits from a `bitworker` dictionary. Throws BW_ERR_TASK_TIMEOUT, BW_ERR_TASK_LIMITS. */
export function readAsks (dict: Bdict): TaskAsks {
  const asks: TaskAsks = {}
  if (dict.has('timeout')) asks.timeoutMs = checkTimeout(dict.get('timeout'), 'timeout') * 1000
  if (dict.has('complete timeout')) {
    asks.completeTimeoutMs = checkTimeout(dict.get('complete timeout'), 'complete timeout') * 1000
  }
  if (dict.has('memory')) asks.memoryBytes = checkBytes(dict.get('memory'), 'memory')
  if (dict.has('scratch')) asks.scratchBytes = checkBytes(dict.get('scratch'), 'scratch')
  return asks
}

/** Returns the dictionary entries to write. Throws BW_ERR_TASK_TIMEOUT, BW_ERR_TASK_LIMITS. */
export function asksDict ({
  timeoutMs, completeTimeoutMs, memoryBytes, scratchBytes
}: TaskAsks): Record<string, Encodable | undefined> {
  return {
    timeout: timeoutMs === undefined ? undefined : checkTimeout(timeoutMs / 1000, 'timeout'),
    'complete timeout':
      completeTimeoutMs === undefined ? undefined : checkTimeout(completeTimeoutMs / 1000, 'complete timeout'),
    memory: memoryBytes === undefined ? undefined : checkBytes(memoryBytes, 'memory'),
    scratch: scratchBytes === undefined ? undefined : checkBytes(scratchBytes, 'scratch')
  }
}

/**
 * The time in milliseconds that the complete command of a file asks for. It handles all parts at once, so the default
 * is a day.
 */
export function completeMsOf ({ completeTimeoutMs }: TaskAsks): number {
  return completeTimeoutMs ?? COMPLETE_MS
}

/** What each command asks for besides time. */
export function spaceAsked ({ memoryBytes, scratchBytes }: TaskAsks): Pick<TaskAsks, 'memoryBytes' | 'scratchBytes'> {
  return { ...(memoryBytes !== undefined && { memoryBytes }), ...(scratchBytes !== undefined && { scratchBytes }) }
}

/** Returns the value if it is a valid time limit in seconds. Throws BW_ERR_TASK_TIMEOUT. */
export function checkTimeout (seconds: unknown, key: string): number {
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_TIMEOUT_S) {
    return seconds
  }
  const what = typeof seconds === 'number' ? `${seconds} s` : 'not a number'
  throw new TaskFlaw('BW_ERR_TASK_TIMEOUT', `The task's ${key} is ${what}, not 1 to ${MAX_TIMEOUT_S} whole seconds`)
}

function checkBytes (bytes: unknown, key: string): number {
  if (typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= MIN_ASKED_BYTES && bytes <= MAX_ASKED_BYTES) {
    return bytes
  }
  const what = typeof bytes === 'number' ? `${bytes} bytes` : 'not a number'
  throw new TaskFlaw(
    'BW_ERR_TASK_LIMITS',
    `The task asks for ${key} of ${what}, not ${MIN_ASKED_BYTES} to ${MAX_ASKED_BYTES} whole bytes`
  )
}
