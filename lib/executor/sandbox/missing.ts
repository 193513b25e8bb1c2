/**
 * Explains why a program is missing in the sandbox: from the shell's message, and from where this machine has the
 * program.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { SHOWN_FOLDERS } from './shown.ts'

/** How the command failed. */
export interface Failure { exitCode: number | null, stderr: string }

// bash: "bash: line 1: foo: command not found", "foo: No such file or directory", "foo: bad interpreter: No such file
// or directory", "foo: cannot execute: required file not found"; sh: "sh: 1: foo: not found"; env: "env: 'foo': No such
// file …"
const SAID = [
  /(?:^|: )([^\s:]+): command not found$/,
  /: \d+: ([^\s:]+): not found$/,
  /^(?:\/usr\/bin\/)?env: [‘'"]?([^’'":]+)[’'"]?: No such file or directory/,
  /: ([^\s:]+): bad interpreter: /,
  /(?:^|: )([^\s:]+): cannot execute: required file not found$/,
  /(?:^|: )(\/[^\s:]+): (?:No such file or directory|Permission denied)$/
]
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
const DOCS = 'docs/SECURITY.md#programs-elsewhere'

/** The path of a program on this machine by the user's PATH, and the real path behind it; null if it is not found. */
export function findOnHost (program: string, folders = (process.env['PATH'] ?? '').split(':')): string | null {
  const places = program.includes('/')
    ? [program]
    : folders.filter(folder => folder.startsWith('/')).map(folder => path.join(folder, program))
  return places.find(at => {
    try {
      return statSync(at).isFile() && (lstatSync(at).isSymbolicLink() || (statSync(at).mode & 0o111) !== 0)
    } catch {
      return false
    }
  }) ?? null
}

/**
 * One line for users if the command failed because a program is missing or cannot be run; otherwise null.
 * @param find finds a program on this machine; for tests
 */
export function explainMissing (
  { exitCode, stderr }: Failure, find: (program: string) => string | null = findOnHost
): string | null {
  if (exitCode !== NOT_FOUND && exitCode !== NOT_EXECUTABLE) return null
  const program = missingIn(stderr)
  // a file that the command itself made
  if (program === null || (program.includes('/') && !path.isAbsolute(program))) return null
  const at = find(program)
  if (at === null) return `${program} is not installed on this machine. Install it, or correct the command.`
  const real = realPathOf(at)
  if (isShown(at) && isShown(real)) return null
  const where = at === real ? at : `${at} (${real})`
  return `On this machine, ${program} is ${where}, but the sandbox shows only programs in ${listOf(SHOWN_FOLDERS)}. Install it there, or see ${DOCS}.`
}

/** The program named by the last error message. */
function missingIn (stderr: string): string | null {
  for (const line of stderr.split('\n').toReversed()) {
    for (const pattern of SAID) {
      const program = pattern.exec(line.trim())?.[1]
      if (program !== undefined) return program
    }
  }
  return null
}

function isShown (at: string): boolean {
  return [...SHOWN_FOLDERS, '/bin', '/sbin', '/lib', '/lib64'].some(folder => at.startsWith(`${folder}/`))
}

function realPathOf (at: string): string {
  try {
    return realpathSync(at)
  } catch {
    return at
  }
}

function listOf (words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
