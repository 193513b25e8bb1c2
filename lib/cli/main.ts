#!/usr/bin/env node
/** The command. `--version` is answered here, as Commander would: to load anything takes longer than the answer may. */
import process from 'node:process'
import { version } from '../version.ts'

const run = async (): Promise<void> => (await import('./process.ts')).run()

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.once('error', () => { void run() }) // it knows what to do about that
  process.stdout.write(`${version}\n`, error => { if (!error) process.exit() })
} else {
  await run()
}
