/**
 * What a machine must have to compute a task: reads (strictly) and writes the key `needs` of a `bitworker` dictionary
 * of version 2. store/missing-needs.ts checks whether the machine has it. Pure. Called by lib/task/command.ts and
 * lib/task/create.ts.
 */
import { textOf } from '../base/bencode.ts'
import type { Bvalue, Encodable } from '../base/bencode.ts'
import { quote } from './names.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { TaskNeeds } from './types.ts'

const KEYS = new Set(['arch', 'commands', 'cpus', 'gpu', 'tools'])
const MAX_TOOLS = 64
const MAX_COMMANDS = 16
const MAX_ARCHS = 16
const MAX_CPUS = 4096
const MAX_COMMAND_BYTES = 4096
/** A name that any shell takes for a program, in any position. */
const TOOL = /^[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,63}$/
/** As in the output of `uname -m`. */
const ARCH = /^[a-z0-9_]{1,32}$/

/** Reads `needs`; undefined if there is no such key. Throws BW_ERR_TASK_NEEDS. */
export function readNeeds (value: Bvalue | undefined): TaskNeeds | undefined {
  if (value === undefined) return undefined
  if (!(value instanceof Map)) throw bad('a `needs` that is not a dictionary')
  const tools = readList(value.get('tools'), 'tools', MAX_TOOLS)
  const commands = readList(value.get('commands'), 'commands', MAX_COMMANDS)
  const arch = readList(value.get('arch'), 'arch', MAX_ARCHS)
  const cpus = value.get('cpus')
  const gpu = value.get('gpu')
  for (const tool of tools ?? []) if (!isToolName(tool)) throw bad(`a need for ${quote(tool)}, which is not the name of a program`)
  for (const each of arch ?? []) if (!ARCH.test(each)) throw bad(`a need for the processor ${quote(each)}, which is not a name as of uname -m`)
  for (const command of commands ?? []) {
    if (command.includes('\0') || command.trim() === '' || Buffer.byteLength(command) > MAX_COMMAND_BYTES) {
      throw bad(`a need for a command that is not text of 1 to ${MAX_COMMAND_BYTES} bytes without NUL`)
    }
  }
  if (cpus !== undefined && (typeof cpus !== 'number' || cpus < 1 || cpus > MAX_CPUS)) {
    throw bad(`a need for processors that is not a number from 1 to ${MAX_CPUS}`)
  }
  if (gpu !== undefined && gpu !== 1) throw bad('a need for a GPU that is not 1')
  return {
    ...(tools !== undefined && { tools }),
    ...(commands !== undefined && { commands }),
    ...(cpus !== undefined && { cpus }),
    ...(arch !== undefined && { arch }),
    ...(gpu !== undefined && { gpu: true })
  }
}

/** Whether it can be one of `tools`. */
export function isToolName (text: string): boolean { return TOOL.test(text) }

function readList (value: Bvalue | undefined, key: string, max: number): string[] | undefined {
  if (value === undefined) return undefined
  const list = Array.isArray(value) ? value.map(textOf) : []
  if (list.length === 0 || list.length > max || list.includes(undefined)) {
    throw bad(`a need for ${key} that is not a list of 1 to ${max} texts`)
  }
  return list as string[]
}

/** The keys that this version does not know, in words. */
export function unknownNeeds (value: Bvalue | undefined): string[] {
  if (!(value instanceof Map)) return []
  return [...value.keys()].filter(key => !KEYS.has(key)).map(key => `the need ${quote(key)}`)
}

/**
 * The dictionary to write; undefined if there are no needs. Throws BW_ERR_TASK_OPTIONS for values that cannot be
 * written.
 */
export function needsDict (needs: TaskNeeds | undefined): Record<string, Encodable | undefined> | undefined {
  if (needs === undefined) return undefined
  const { tools, commands, cpus, arch, gpu } = needs
  for (const [key, list] of Object.entries({ tools, commands, arch })) {
    if (list !== undefined && !(Array.isArray(list) && list.every(text => typeof text === 'string'))) {
      throw taskError('BW_ERR_TASK_OPTIONS', `needs.${key} must be a list of strings.`, 'usage')
    }
  }
  if (cpus !== undefined && !Number.isSafeInteger(cpus)) {
    throw taskError('BW_ERR_TASK_OPTIONS', 'needs.cpus must be a whole number.', 'usage')
  }
  if (gpu !== undefined && typeof gpu !== 'boolean') {
    throw taskError('BW_ERR_TASK_OPTIONS', 'needs.gpu must be true or false.', 'usage')
  }
  const flag = gpu === true ? 1 : undefined
  const dict = { tools: listed(tools), commands: listed(commands), cpus, arch: listed(arch), gpu: flag }
  return Object.values(dict).some(value => value !== undefined) ? dict : undefined
}

function listed (list: readonly string[] | undefined): readonly string[] | undefined {
  return list?.length === 0 ? undefined : list
}

function bad (what: string): TaskFlaw {
  return new TaskFlaw('BW_ERR_TASK_NEEDS', `The task has ${what}`)
}
