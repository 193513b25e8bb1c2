/** The process of a command: streams, last-resort handlers and the exit; everything else is in program.ts. */
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { EXIT, explain, report } from './output/failure.ts'

/** When the code of a command is loaded, on most machines. */
const LOADED_MS = 2_000

const options = {
  json: process.argv.includes('--json'),
  debug: process.argv.includes('--debug'),
  started: true,
  command: process.argv[2]
}

let exitCode: number = EXIT.done
let isStopping = false

/** Runs the command of this process's arguments, and ends the process. */
export async function run (): Promise<void> {
  process.stdout.on('error', onOutputFailed)
  // A terminal that was closed cannot be told so.
  process.stderr.on('error', () => {})
  // A terminal without a size, as containers make them, says 0 columns.
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.isTTY && !stream.columns) Object.assign(stream, { columns: 80, rows: 24 })
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  cacheCode()
  exitCode = await (await import('./program.ts')).main(process.argv.slice(2))
  // Sockets of a swarm that are still closing must not keep the user waiting.
  process.stdout.write('', error => { if (error) onOutputFailed(error); else process.exit(exitCode) })
}

/**
 * Whoever reads our output may leave at any time (`| head -1`): that is the end, not an error. What runs is stopped as
 * by Ctrl-C, and says that it was not done.
 */
function onOutputFailed (error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.exit(report(explain(error, 'standard output'), { ...options, json: false }))
  if (process.listenerCount('SIGINT') === 0) process.exit(exitCode)
  if (!isStopping) process.emit('SIGINT')
  isStopping = true
}

function crash (error: unknown): void { process.exit(report(error, options)) }

/**
 * What is loaded from here on is compiled once. In a folder of the user's own: Node's default is one that others can
 * write to.
 */
function cacheCode (): void {
  const home = homedir()
  if (!existsSync(home)) return
  module.enableCompileCache?.(path.join(process.env['XDG_CACHE_HOME'] || path.join(home, '.cache'), 'bitworker'))
  // else Node writes it when the process ends, and Ctrl-C would wait for that: half a second, more on a busy machine
  setTimeout(() => { module.flushCompileCache?.() }, LOADED_MS).unref()
}
