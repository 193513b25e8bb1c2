/**
 * A script as the command of a task: an input, run by the interpreter that its first line names. Called by
 * lib/inputs/make-task.ts.
 */
import { open } from 'node:fs/promises'
import path from 'node:path'
import { isToolName } from '../task/needs.ts'
import { taskError } from '../task/types.ts'
import type { CreateTaskOptions } from '../task/types.ts'
import { readError, sourceError } from './tree.ts'

/** Linux reads at most this much of a first line. */
const MAX_LINE_BYTES = 255
/** The folders in which every machine looks for programs; a task's `PATH` begins with these. */
const INTERPRETER = /^#![ \t]*\/(?:usr\/local\/|usr\/)?bin\/([^ \t/]+)[ \t]*(.*?)[ \t]*$/
/** Shells that run the commands anyway, so that every machine has them. */
const SHELLS = new Set(['bash', 'sh'])
const PLAIN_WORD = /^[\w./%+,:@=-]+$/

/** A script as an input and the command that runs it. */
interface ScriptCommand {
  /** its path, and the name by which the commands find it */
  source: { path: string, name: string }
  command: string
  /** the programs that a machine needs for it */
  tools: string[]
}

/**
 * Reads the first line of a script. The interpreter is looked up on the `PATH` of the task, like `env` does, because
 * its path differs between machines. Rejects with BW_ERR_INPUT_SOURCE, BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED.
 */
async function scriptCommand (from: string): Promise<ScriptCommand> {
  const name = path.basename(path.resolve(from))
  const words = interpreterOf(await firstLine(from), from)
  const [interpreter] = words
  return {
    source: { path: from, name },
    command: [...words, `./${name}`].map(quoted).join(' '),
    tools: SHELLS.has(interpreter!) ? [] : [interpreter!]
  }
}

type Runs = Pick<CreateTaskOptions, 'command' | 'needs'>

/**
 * What `createTask` is to be given, and the script as an input. Rejects with BW_ERR_TASK_OPTIONS, BW_ERR_INPUT_SOURCE,
 * BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED.
 */
export async function whatRuns (
  { script, command, needs }: { [key in 'script' | 'command']: string | undefined } & { needs: Runs['needs'] | undefined }
): Promise<Runs & { script: Array<ScriptCommand['source']> }> {
  const given = needs !== undefined && { needs }
  // left to createTask, which says what is wrong with a command that is none
  if (script === undefined) return { command: command as string, ...given, script: [] }
  if (typeof script !== 'string') throw badOption('script must be a path.')
  if (command !== undefined) throw badOption('A task has either a command or a script, not both.')
  const made = await scriptCommand(script)
  const tools = [...new Set([...needs?.tools ?? [], ...made.tools])]
  return {
    command: made.command, ...given, ...(tools.length > 0 && { needs: { ...needs, tools } }), script: [made.source]
  }
}

async function firstLine (from: string): Promise<string> {
  try {
    const file = await open(from)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_LINE_BYTES + 1), 0, MAX_LINE_BYTES + 1, 0)
      const read = buffer.subarray(0, bytesRead)
      const end = read.indexOf(0x0a)
      if (end === -1 && bytesRead > MAX_LINE_BYTES) return ''
      return read.subarray(0, end === -1 ? bytesRead : end).toString()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw readError(error, from)
  }
}

/** The interpreter and its arguments. */
function interpreterOf (line: string, from: string): string[] {
  if (line.endsWith('\r')) throw sourceError(from, 'has lines that end with CR LF, as on Windows; save it with LF')
  if (!line.startsWith('#!')) {
    throw sourceError(from, 'does not begin with #! and an interpreter, such as #!/usr/bin/env python3')
  }
  const [, program = '', rest = ''] = INTERPRETER.exec(line) ?? []
  const words = program === 'env' ? envWords(rest) : [program, ...(rest === '' ? [] : [rest])]
  if (words[0] !== undefined && isToolName(words[0])) return words
  throw sourceError(
    from, `begins with ${line}, which other machines do not have; begin it with, for example, #!/usr/bin/env python3`
  )
}

/** env splits its argument only with -S; without it, the rest is a single name. */
function envWords (rest: string): string[] {
  const split = /^-S[ \t]*(.*)$/.exec(rest)?.[1]
  if (split === undefined) return [rest]
  const words = split.split(/[ \t]+/)
  return words.every(word => PLAIN_WORD.test(word)) ? words : []
}

function quoted (word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function badOption (message: string): Error {
  return taskError('BW_ERR_TASK_OPTIONS', message, 'usage')
}
