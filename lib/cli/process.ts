/** The process of a command: streams, last-resort handlers and exit. program.ts has everything else. */
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { EXIT, explain, report } from './output/failure.ts'

/** By then, the code of a command has been loaded on most machines. */
const LOADED_MS = 2_000

const options = {
  json: process.argv.includes('--json'),
  debug: process.argv.includes('--debug'),
  started: true,
  command: process.argv[2]
}

let exitCode: number = EXIT.done
let isStopping = false

/** Runs the command with this process's arguments, and ends the process. */
export async function run (): Promise<void> {
  process.stdout.on('error', onOutputFailed)
  // A closed terminal cannot show the error.
  process.stderr.on('error', () => {})
  // A terminal without a size, as in containers, reports 0 columns.
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.isTTY && !stream.columns) Object.assign(stream, { columns: 80, rows: 24 })
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  cacheCode()
  exitCode = await (await import('./program.ts')).main(process.argv.slice(2))
  // Sockets that are still closing must not delay the exit.
  process.stdout.write('', error => { if (error) onOutputFailed(error); else process.exit(exitCode) })
}

/**
 * The reader of our output may close it at any time (`| head -1`): that is the end, not an error. Running work is
 * stopped as by Ctrl-C, and reported as not done.
 */
function onOutputFailed (error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.exit(report(explain(error, 'standard output'), { ...options, json: false }))
  // a command whose output is all that it is for handles this itself
  if (process.stdout.listenerCount('error') > 1) return
  if (process.listenerCount('SIGINT') === 0) process.exit(exitCode)
  if (!isStopping) process.emit('SIGINT')
  isStopping = true
}

function crash (error: unknown): void { process.exit(report(error, options)) }

/** Caches compiled code from here on, in a folder of the user's own: others can write to Node's default folder. */
function cacheCode (): void {
  const home = homedir()
  if (!existsSync(home)) return
  module.enableCompileCache?.(path.join(process.env['XDG_CACHE_HOME'] || path.join(home, '.cache'), 'bitworker'))
  // otherwise Node writes the cache when the process ends, and Ctrl-C would wait half a second for it, or more on a
  // busy machine
  setTimeout(() => { module.flushCompileCache?.() }, LOADED_MS).unref()
}
