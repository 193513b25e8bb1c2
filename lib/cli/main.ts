#!/usr/bin/env node
/** The command: streams, last-resort handlers and the exit; everything else is in program.ts. */
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { EXIT, explain, report } from './failure.ts'
import { version } from '../version.ts'

const options = { json: process.argv.includes('--json'), debug: process.argv.includes('--debug'), started: true }

let exitCode: number = EXIT.done
let isStopping = false

// Whoever reads our output may leave at any time (`| head -1`): that is the end, not an error. What runs is stopped as by
// Ctrl-C, and says that it was not done.
const outputFailed = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') process.exit(report(explain(error, 'standard output'), { ...options, json: false }))
  if (process.listenerCount('SIGINT') === 0) process.exit(exitCode)
  if (!isStopping) process.emit('SIGINT')
  isStopping = true
}
process.stdout.on('error', outputFailed)
// A terminal that was closed cannot be told so.
process.stderr.on('error', () => {})

// A terminal without a size, as containers make them, says 0 columns.
for (const stream of [process.stdout, process.stderr]) {
  if (stream.isTTY && !stream.columns) Object.assign(stream, { columns: 80, rows: 24 })
}

const crash = (error: unknown): void => { process.exit(report(error, options)) }
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

// What a command loads from here on is compiled once. In a folder of the user's own: Node's default is one that others can write to.
const home = homedir()
if (existsSync(home)) module.enableCompileCache?.(path.join(process.env['XDG_CACHE_HOME'] || path.join(home, '.cache'), 'bitworker'))

const args = process.argv.slice(2)
// As Commander would; but loading it takes longer than the answer may.
if (args.length === 1 && args[0] === '--version') process.stdout.write(`${version}\n`)
else exitCode = await (await import('./program.ts')).main(args)
// Sockets of a swarm that are still closing must not keep the user waiting.
process.stdout.write('', error => { if (error) outputFailed(error); else process.exit(exitCode) })
