/** `bitworker create`: makes a task file. */
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { BitWorkerError, CommandError } from '../../base/errors.ts'
import { obstacleToReading } from '../../inputs/here.ts'
import { createTaskFrom } from '../../inputs/make-task.ts'
import type { CreateTaskFromOptions, InputSource } from '../../inputs/make-task.ts'
import { magnetOf } from '../../task/task.ts'
import { MAX_TRACKERS } from '../../task/trackers.ts'
import type { CreateTaskOptions, Task } from '../../task/task.ts'
import { version } from '../../version.ts'
import type { FileParts } from '../flags/values.ts'
import { taskFields } from '../output/describe.ts'
import { EXIT, ExitError, explain } from '../output/failure.ts'
import { escapeText, formatBytes, plural, shellWord } from '../output/format.ts'
import { hashingBar } from '../output/hashing-bar.ts'
import { JsonOutput } from '../output/json-output.ts'
import { writeTask } from '../output/task-output.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { ask, isInteractive } from '../run/prompt.ts'
import { outputShownOn } from '../run/said.ts'
import { hasSplit, inputSources, rootSource } from './create-inputs.ts'
import type { InputFlags } from './create-inputs.ts'
import { announceReused, oldTask, takeOver } from './create-reuse.ts'
import type { ReuseFlags } from './create-reuse.ts'
import { verifyingOptions } from './create-verifying.ts'
import type { VerifyingFlags } from './create-verifying.ts'
import { signBy } from './sign.ts'

/** The flags as typed. */
export interface CreateFlags extends VerifyingFlags, InputFlags, ReuseFlags {
  name?: string
  command?: string
  need: string[]
  needCommand: string[]
  needCpus?: number
  gpu: boolean
  arch: string[]
  commandFile?: string
  script?: string
  parts?: number
  file: FileParts[]
  outPattern?: string
  pieceLength?: number
  completeCommand?: string
  completeBy?: 'author' | 'all'
  /** seconds */
  timeout?: number
  completeTimeout?: number
  /** bytes */
  memory?: number
  scratch?: number
  announce: string[]
  private: boolean
  comment?: string
  /** undefined: ask if there is a terminal */
  try?: boolean
  output?: string
  force: boolean
  json: boolean
}

/** Bytes shown of the piece that is tried. */
const SHOWN_BYTES = 1024

/**
 * Writes the task file and prints a summary. Throws BW_ERR_USAGE, BW_ERR_FILE_EXISTS and the errors of `createTaskFrom`
 * and `signBy`.
 *
 * @param words lists of values, each after `:::`
 */
export async function create (words: readonly string[], flags: CreateFlags): Promise<void> {
  const options = taskOptions(await withCommandOf(flags), hasSplit(flags, words))
  const old = await oldTask(flags)
  const inputs = await inputSources(flags, words)
  const created = await make({
    ...options, ...trackersOf(inputs, flags), ...await verifyingOptions(flags), inputs, ...await rootSource(flags)
  }, flags.json)
  if (!flags.sign && (flags.key !== undefined || flags.label !== undefined)) {
    throw usage('--key and --label need a signature. Pass --sign as well.')
  }
  const task = flags.sign ? await signBy(created, flags) : created
  const target = flags.output ?? `${task.name}.bitworker`
  await tryFirst(task, target, flags)
  const reused = old === null ? null : await takeOver(old, task, flags)
  await writeTask(target, task, flags.force)
  await announceResult(target, task, flags.json)
  if (reused !== null) announceReused(reused, flags, flags.json)
  if (inputs.some(input => 'list' in input || 'lines' in input)) warnPlaceholder(task, flags.json)
}

/** As GNU parallel has it; other programs of a command have it as well. */
function warnPlaceholder ({ command }: Task, json: boolean): void {
  if (!command.includes('{}') || /-exec|xargs|parallel/.test(command)) return
  const message = 'The command has {}, which is not replaced: the entry is in the variable ENTRY. Write "$ENTRY".'
  new JsonOutput(json).emit('warning', { message })
  process.stderr.write(`Warning: ${message}\n`)
}

const COMMAND_FLAGS = { command: '--command', commandFile: '--command-file', script: '--script' }

/** The trackers of the tasks whose outputs are inputs, unless some were named. */
function trackersOf (inputs: InputSource[], { announce }: CreateFlags): Pick<CreateTaskOptions, 'announce'> {
  const all = new Set(inputs.flatMap(input => 'outputOf' in input ? input.outputOf.announce : []))
  return announce.length > 0 || all.size === 0 ? {} : { announce: [...all].slice(0, MAX_TRACKERS) }
}

/** A script that names another program than a shell would be run by the wrong one. */
const OTHER_PROGRAM = /^#!(?!\s*(?:\S*\/env\s+(?:-S\s+)?)?(?:\S*\/)?(?:ba|da)?sh(?:\s|$)).*/

/** The flags, with the text of `--command-file` as the command. Throws BW_ERR_USAGE, errors of the file system. */
async function withCommandOf (flags: CreateFlags): Promise<CreateFlags> {
  const { commandFile } = flags
  const [one, another] = (['command', 'commandFile', 'script'] as const).filter(flag => flags[flag] !== undefined)
  if (another !== undefined) throw usage(`Both ${COMMAND_FLAGS[one!]} and ${COMMAND_FLAGS[another]} say what to run. Leave out one of them.`)
  if (commandFile === undefined) return flags
  const bytes = await readFile(commandFile).catch((error: unknown) => { throw explain(error, commandFile) })
  if (!isUtf8(bytes)) throw usage(`--command-file ${commandFile}: it is not text in UTF-8. Name a script for bash.`)
  const text = bytes.toString()
  const other = OTHER_PROGRAM.exec(text)?.[0]
  if (other !== undefined) {
    throw usage(`--command-file ${commandFile}: it begins with ${other}, but a command is run by bash. Pass it as --script.`)
  }
  return { ...flags, command: text }
}

function needsOf ({ need, needCommand, needCpus, arch, gpu }: CreateFlags): Pick<CreateTaskOptions, 'needs'> {
  const needs = {
    ...(need.length > 0 && { tools: need }),
    ...(needCommand.length > 0 && { commands: needCommand }),
    ...(needCpus !== undefined && { cpus: needCpus }),
    ...(arch.length > 0 && { arch }),
    ...(gpu && { gpu })
  }
  return Object.keys(needs).length === 0 ? {} : { needs }
}

/** Hashes the task's inputs, showing progress at a terminal. Also rejects with BW_ERR_INTERRUPTED. */
async function make (options: CreateTaskFromOptions, json: boolean): Promise<Task> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  const bar = json || !process.stderr.isTTY ? null : hashingBar()
  try {
    return await createTaskFrom({ ...options, signal: stop.signal, ...(bar !== null && { onProgress: bar.show }) })
  } catch (error) {
    if (stop.signal.aborted) throw new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'Interrupted.')
    throw error
  } finally {
    bar?.close()
    release()
  }
}

function taskOptions (flags: CreateFlags, isSplit: boolean): CreateTaskFromOptions {
  // Not left to commander, which would report this before it reports that --nam is a typo.
  if (flags.name === undefined) throw usage('A task needs a name. Pass --name NAME.')
  if (flags.command === undefined && flags.script === undefined) {
    throw usage("A task needs a command. Pass --command CMD, for example --command 'echo $PIECE_IDX', or --script FILE.")
  }
  if (flags.parts !== undefined && flags.file.length > 0) {
    throw usage('The number of pieces is given twice. Pass either --parts N, or --file PATH:PARTS once per file.')
  }
  if (flags.parts === undefined && flags.file.length === 0 && !isSplit) {
    throw usage(
      'The number of pieces is missing. Pass --parts N, or --file PATH:PARTS once per file, or what each piece gets (--input-per-part, --params, --from-json, --each-line, --each, :::).'
    )
  }
  if (flags.outPattern !== undefined && flags.file.length > 0) {
    throw usage('--out-pattern makes a file of each piece. Pass --parts N, not --file.')
  }
  if (flags.completeBy !== undefined && flags.completeCommand === undefined) {
    throw usage('--complete-by says who runs the complete command. Pass --complete-command CMD as well.')
  }
  if (flags.private && flags.announce.length === 0) {
    throw usage('Peers find a private task only through its trackers. Pass --announce URL as well.')
  }
  return {
    name: flags.name,
    ...(flags.command !== undefined && { command: flags.command }),
    ...(flags.script !== undefined && { script: flags.script }),
    ...(flags.outPattern !== undefined && { outputPattern: flags.outPattern }),
    ...(flags.parts !== undefined && { parts: flags.parts }),
    ...(flags.file.length > 0 && { files: flags.file }),
    ...(flags.pieceLength !== undefined && { pieceLength: flags.pieceLength }),
    ...(flags.completeCommand !== undefined && { completeCommand: flags.completeCommand }),
    ...(flags.completeBy !== undefined && { completeBy: flags.completeBy }),
    ...needsOf(flags),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout * 1000 }),
    ...(flags.completeTimeout !== undefined && { completeTimeoutMs: flags.completeTimeout * 1000 }),
    ...(flags.memory !== undefined && { memoryBytes: flags.memory }),
    ...(flags.scratch !== undefined && { scratchBytes: flags.scratch }),
    ...(flags.announce.length > 0 && { announce: flags.announce }),
    ...(flags.private && { private: true }),
    ...(flags.comment !== undefined && { comment: flags.comment }),
    createdBy: `BitWorker/${version}`,
    created: new Date()
  }
}

/**
 * Tries the first piece, which is not shared yet: with --try, or if the user at a terminal wants it. Throws the reason
 * for a failure, BW_ERR_INTERRUPTED.
 */
async function tryFirst (task: Task, target: string, { try: isWanted, json, gpu }: CreateFlags): Promise<void> {
  const asks = isWanted === undefined
  if (isWanted === false || (asks && (json || !isInteractive()))) return
  const [{ confine }, { obstacleToComputing }, { tryPiece }] = await Promise.all([
    import('../run/confinement.ts'), import('../run/commands-here.ts'), import('../run/try-piece.ts')
  ])
  const confinement = await confine({ sandbox: 'auto', unsafeNoSandbox: false, gpu })
  const problem = await obstacleToComputing(task, confinement)
  if (problem !== null && asks) return
  if (problem !== null) throw problem
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    if (
      asks &&
      (await ask('Try the command now by computing the first piece?', true, stop.signal)) !== true &&
      !stop.signal.aborted
    )
      return
    stop.signal.throwIfAborted()
    const onOutput = outputShownOn(process.stderr, SHOWN_BYTES)
    await tryPiece({
      task, piece: 0, confinement, binds: [], out: new JsonOutput(json), signal: stop.signal, ...(!json && { onOutput })
    })
  } catch (error) {
    if (stop.signal.aborted) throw new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'Interrupted.')
    if (!(error instanceof CommandError)) throw error
    throw new BitWorkerError(
      error.code,
      error.blame,
      `${error.message} ${target} was not written. Correct the command, or pass --no-try.`,
      { cause: error }
    )
  } finally {
    release()
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

async function announceResult (target: string, task: Task, json: boolean): Promise<void> {
  const signer = task.signatures[0]?.publicKey
  new JsonOutput(json).emit('created', { file: target, ...taskFields(task), signer })
  const stream = json ? process.stderr : process.stdout
  stream.write([
    `${escapeText(target)}: ${plural(task.pieceCount, 'piece')} of at most ${formatBytes(task.pieceLength)}`,
    `info-hash  ${task.infoHash}`,
    ...(signer === undefined ? [] : [`signer     ${signer}`]),
    `magnet     ${magnetOf(task)}`,
    ...(await obstacleToReading(task) !== null ? [] : [`try it     bitworker try ${shellWord(target)}`]),
    ''
  ].join('\n'))
}
