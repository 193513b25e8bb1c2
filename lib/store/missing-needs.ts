/**
 * Checks whether this machine has what a task needs: once, before anything is claimed, in the place where the commands
 * will run, by the same executor and with the same limits. Called by ComputeStore.
 */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { BitWorkerError, CommandError } from '../base/errors.ts'
import { findGpus, gpusAmong } from '../executor/sandbox/gpu.ts'
import { ioError } from '../system/io-errors.ts'
import { spaceAsked } from '../task/asks.ts'
import type { Task } from '../task/task.ts'
import { removeFile } from './files/folders.ts'
import { runItem, show } from './generate.ts'
import type { RunOptions } from './generate.ts'
import type { TaskFolder } from './task-folder.ts'
import type { Given } from './types.ts'

/** Looking for programs takes no time, but a command of the task may start a large one. */
const TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 64 * 1024
/** Prints those of its arguments that are not commands. */
const FIND_TOOLS = 'for tool; do command -v -- "$tool" > /dev/null || echo "$tool"; done'
/** Succeeds if one of its arguments can be opened for reading and writing. */
const OPEN_ANY = 'for device; do (: <> "$device") 2> /dev/null && exit 0; done; exit 1'
/** Other names for the output of `uname -m`. */
const MACHINES: Record<string, string> = { amd64: 'x86_64', arm64: 'aarch64' }

/** Whether the commands among its needs may be a program of its inputs, so that they run when these are there. */
export function areChecksWithInputs ({ needs = {}, inputs = [], root }: Pick<Task, 'needs' | 'inputs' | 'root'>): boolean {
  return needs.commands !== undefined && inputs.some(({ name, split }) => split === undefined && name !== root)
}

/**
 * The needs that are not met, in words; empty if the task can be computed here. Rejects with BW_ERR_NO_EXECUTOR,
 * BW_ERR_ROOT, BW_ERR_COMMAND_KILLED if the executor is closed in the meantime, BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER.
 */
export async function missingNeeds (folder: TaskFolder, run: RunOptions): Promise<string[]> {
  const { tools = [], cpus = 1, arch = [] } = folder.task.needs ?? {}
  const processors = os.availableParallelism()
  const machine = MACHINES[os.machine()] ?? os.machine()
  const missing: string[] = []
  await checkRoot(folder, run)
  if (processors < cpus) missing.push(`${cpus} processors (it has ${processors})`)
  if (arch.length > 0 && !arch.includes(machine)) missing.push(`a processor of ${arch.join(' or ')} (it has ${machine})`)
  const gpus = gpusAmong(run.devices ?? [])
  if (gpus.length > 0) {
    const found = await runCheck(folder, run, { command: OPEN_ANY, args: gpus })
    if (found.failure?.code === 'BW_ERR_COMMAND_KILLED') throw found.failure
    if (found.failure !== null) missing.push(`a GPU that commands may open (they may not open ${gpus.join(', ')}; your user must be in the group of one of them)`)
  }
  if (tools.length > 0) {
    const found = await runCheck(folder, run, { command: FIND_TOOLS, args: tools })
    if (found.failure !== null) throw found.failure
    missing.push(...found.output.split('\n').filter(tool => tools.includes(tool)))
  }
  return areChecksWithInputs(folder.task) ? missing : [...missing, ...await failingCommands(folder, run, { files: [] })]
}

/** Those of its commands that fail, in words. `given`: what all pieces see. Rejects as `missingNeeds`. */
export async function failingCommands (folder: TaskFolder, run: RunOptions, given: Given): Promise<string[]> {
  const missing: string[] = []
  for (const command of folder.task.needs?.commands ?? []) {
    const { failure } = await runCheck(folder, run, { command, given })
    if (failure?.code === 'BW_ERR_COMMAND_KILLED') throw failure
    if (failure !== null) missing.push(`a successful run of ${oneLine(command)} (${failure.message.replace(/\.$/, '')})`)
  }
  return missing
}

/** Rejects with BW_ERR_ROOT if no command runs in the root of the task. */
async function checkRoot (folder: TaskFolder, run: RunOptions): Promise<void> {
  if (folder.task.root === undefined) return
  if (run.root === undefined) throw new BitWorkerError('BW_ERR_INPUT', 'usage', 'The root of the task is not here; nothing is run.')
  const { failure } = await runCheck(folder, run, { command: 'exit 0' })
  if (failure === null) return
  if (failure.code === 'BW_ERR_COMMAND_KILLED') throw failure
  throw new BitWorkerError(
    'BW_ERR_ROOT',
    'input',
    `The root of the task has no /bin/bash that runs on this machine, so nothing is computed here, only downloaded (${failure.message.replace(/\.$/, '')}). Ask its author to correct it.`,
    { cause: failure }
  )
}

/**
 * The device nodes that the commands of a task may use: none if it needs no GPU. Throws BW_ERR_NEEDS if it needs one
 * that is not here, or not allowed.
 * @param gpu whether it may use one: all of this machine, or these device nodes
 */
export function devicesFor ({ needs }: Pick<Task, 'needs'>, gpu: boolean | readonly string[] = false): readonly string[] {
  if (needs?.gpu !== true) return []
  const devices = typeof gpu === 'boolean' ? findGpus() : gpu
  if (devices.length === 0) {
    throw new BitWorkerError(
      'BW_ERR_NEEDS',
      'system',
      'This task needs a GPU, and this machine has none that is known (such as /dev/dri/renderD128 or /dev/nvidia0), so nothing is computed here, only downloaded.'
    )
  }
  if (gpu !== false) return devices
  throw new BitWorkerError(
    'BW_ERR_NEEDS',
    'system',
    'This task needs a GPU, so without your permission nothing is computed here, only downloaded.',
    { remedy: 'allow-gpu' }
  )
}

/** Why a task may not be computed here: the GPU that it needs (BW_ERR_NEEDS); null if that is no obstacle. */
export function gpuProblem (task: Pick<Task, 'needs'>, gpu: boolean | readonly string[] | undefined): BitWorkerError | null {
  try {
    devicesFor(task, gpu)
    return null
  } catch (err) {
    return err as BitWorkerError
  }
}

/** BW_ERR_NEEDS. */
export function needsProblem (missing: readonly string[]): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NEEDS',
    'system',
    `Nothing is computed here, only downloaded, because this machine lacks what the task needs: ${missing.join(', ')}.`
  )
}

function oneLine (command: string): string {
  const line = command.trim().replace(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 60)}…` : line
}

async function runCheck (
  folder: TaskFolder,
  run: RunOptions,
  { command, args = [], given = { files: [] } }: { command: string, args?: readonly string[], given?: Given }
): Promise<{ output: string, failure: CommandError | null }> {
  const stdout = `${folder.newWork()}.out`
  const cwd = folder.scratch.take(run.binds)
  try {
    await runItem(run, {
      command,
      args: ['bitworker', ...args],
      env: { TASK_NAME: folder.task.name },
      cwd: cwd.path,
      mounts: show(run, given, cwd.path),
      asks: spaceAsked(folder.task),
      stdout,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      timeoutMs: TIMEOUT_MS
    }).done
    return { output: readFileSync(stdout, 'utf8'), failure: null }
  } catch (err) {
    if (err instanceof CommandError) return { output: '', failure: err }
    throw ioError(err, folder.layout.folder)
  } finally {
    removeFile(stdout)
    await folder.scratch.giveBack(cwd, false)
  }
}
