#!/usr/bin/env node
/**
 * The entry point. Answers `--version` itself, as Commander would, because loading anything would take longer than the
 * answer.
 */
import process from 'node:process'
import { version } from '../version.ts'

const run = async (): Promise<void> => (await import('./process.ts')).run()

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.once('error', () => { void run() }) // run() handles the error
  process.stdout.write(`${version}\n`, error => { if (!error) process.exit() })
} else {
  await run()
}
