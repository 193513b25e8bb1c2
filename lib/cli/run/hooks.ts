/** `run --on-done` and `--on-exit`: the user's own commands. Text of the task is only in their environment. */
import path from 'node:path'
import { runOwnCommand } from '../../executor/own-command.ts'
import { EXIT } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'

/** The flags. */
export interface HookFlags {
  onDone?: string
  onExit?: string
  output: string
}

/** The task that they are told of; what is unknown is empty. */
export interface Told { infoHash?: string, name?: string }

/** Runs the command of --on-done, if there is one, and warns if it fails. Resolves when it has ended; never rejects. */
export async function runOnDone (flags: HookFlags, task: Told, out: JsonOutput, screen: Screen): Promise<void> {
  await runHook('--on-done', flags.onDone, variablesOf(flags, task), out, screen)
}

/** The same for --on-exit, which is also told the exit code. */
export async function runOnExit (
  exitCode: number, flags: HookFlags, task: Told, out: JsonOutput, screen: Screen
): Promise<void> {
  await runHook('--on-exit', flags.onExit, { ...variablesOf(flags, task), EXIT_CODE: String(exitCode) }, out, screen)
}

/** Both, where another client runs the task. */
export async function runHooks (
  exitCode: number, flags: HookFlags, task: Told, out: JsonOutput, screen: Screen
): Promise<void> {
  if (exitCode === EXIT.done) await runOnDone(flags, task, out, screen)
  await runOnExit(exitCode, flags, task, out, screen)
}

function variablesOf ({ output }: HookFlags, { infoHash = '', name = '' }: Told): Record<string, string> {
  return { TASK: infoHash, NAME: name, DIR: path.resolve(output) }
}

async function runHook (
  flag: string, command: string | undefined, variables: Record<string, string>, out: JsonOutput, screen: Screen
): Promise<void> {
  if (command === undefined) return
  const problem = await runOwnCommand(command, variables)
  if (problem === null) return
  const message = `The command of ${flag} failed (${problem}).`
  out.emit('warning', { message })
  screen.alert(`Warning: ${message}`)
}
