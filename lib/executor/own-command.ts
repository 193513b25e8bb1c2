/** Runs a command that the user gave for himself: with all his permissions, unlike those of tasks. */
import { spawn } from 'node:child_process'
import process from 'node:process'

/** Variables that it gets besides the environment. */
export type OwnVariables = Readonly<Record<string, string>>

/**
 * Runs it by bash. What it prints goes to our stderr: stdout may be read by a program. Resolves with null if it
 * succeeded, otherwise with how it ended; never rejects.
 */
export async function runOwnCommand (command: string, variables: OwnVariables): Promise<string | null> {
  return new Promise(resolve => {
    const child = spawn('/bin/bash', ['-c', command], {
      env: { ...process.env, ...variables },
      stdio: ['ignore', 2, 2]
    })
    child.once('error', err => { resolve(err.message) })
    child.once('close', (code, signal) => { resolve(code === 0 ? null : signal ?? `exit code ${code}`) })
  })
}
