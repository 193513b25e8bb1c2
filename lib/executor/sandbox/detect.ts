/**
 * Finds out which sandbox this machine has, by running a command in it: in the very configuration that work items get.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { CommandError } from '../../errors.ts'
import { BashExecutor } from '../../executor.ts'
import type { Launcher } from '../launch.ts'
import { SCRATCH } from './bwrap-args.ts'
import { BwrapLauncher } from './bwrap.ts'
import { archOf, findProgram, isRoot } from './host.ts'
import { remedyFor } from './remedies.ts'

/** How commands are confined: by bwrap, by bwrap where a container keeps it from having a /proc, or not at all. */
export type Tier = 'bwrap' | 'bwrap-noproc' | 'none'

/** What a user may ask for; 'auto' is the best there is. */
export type SandboxChoice = 'auto' | 'bwrap' | 'none'

/** A sandbox that works here. */
export interface Sandbox {
  readonly tier: Exclude<Tier, 'none'>
  createLauncher (): Launcher
}

/** What was found out. */
export interface SandboxReport {
  /** 'none': nothing may be computed, unless the user wants that explicitly */
  readonly tier: Tier
  /** null if there is none */
  readonly sandbox: Sandbox | null
  /** why it is not a better one, and what to do: one line each */
  readonly problems: string[]
}

/** Says 'ok' only where all holds that can be tried without harm. */
const SELF_TEST = `
[ "$PWD $HOME $TMPDIR" = '${SCRATCH} ${SCRATCH} ${SCRATCH}' ] || { echo "the working directory is $PWD" >&2; exit 1; }
: > here || exit 1
[ -r m/f ] || { echo 'what is mounted cannot be read' >&2; exit 1; }
for f in m/f /x /usr/x /dev/x; do if (: > $f) 2> /dev/null; then echo "$f can be written" >&2; exit 1; fi; done
for f in /home /root /var /run /sys /etc/passwd; do if [ -e $f ]; then echo "$f can be seen" >&2; exit 1; fi; done
if [ -e /proc/self ]; then
  net=$(< /proc/net/dev); [[ $net =~ eth|wlan|en[ops] ]] && { echo 'the network can be seen' >&2; exit 1; }
  if (: > /proc/sys/kernel/core_pattern) 2> /dev/null; then echo '/proc/sys can be written' >&2; exit 1; fi
  status=$(< /proc/self/status)
  [[ $status =~ CapEff:[[:space:]]*0+$'\\n' ]] || { echo 'it has capabilities' >&2; exit 1; }
  [[ $status =~ Seccomp:[[:space:]]*2 ]] || { echo 'system calls are not filtered' >&2; exit 1; }
fi
echo ok
`

const TEST_MS = 10_000
const reports = new Map<SandboxChoice, Promise<SandboxReport>>()

/** Tries what may be used, best first. Done once in a process; never rejects. */
export async function detectSandbox (choice: SandboxChoice = 'auto'): Promise<SandboxReport> {
  const known = reports.get(choice) ?? detect(choice)
  reports.set(choice, known)
  return known
}

async function detect (choice: SandboxChoice): Promise<SandboxReport> {
  if (choice === 'none') return { tier: 'none', sandbox: null, problems: [] }
  const problems: string[] = []
  for (const candidate of candidates(problems)) {
    const problem = await tryOut(candidate)
    if (problem === null) return { tier: candidate.tier, sandbox: candidate, problems }
    problems.push(remedyFor(candidate.tier, problem))
  }
  return { tier: 'none', sandbox: null, problems: [...new Set(problems)] }
}

function * candidates (problems: string[]): Generator<Sandbox> {
  const [bwrap, arch] = [findProgram('bwrap'), archOf()]
  if (arch === null) {
    problems.push(`there is no filter of system calls for this kind of machine (${process.arch}); use one with x86-64 or arm64`)
    return
  }
  if (bwrap === null) {
    problems.push('bubblewrap is not installed; install the package bubblewrap (Debian and Ubuntu: apt-get install bubblewrap)')
    return
  }
  for (const proc of [true, false]) {
    for (const stage of isRoot() ? [true, false] : [false]) {
      yield { tier: proc ? 'bwrap' : 'bwrap-noproc', createLauncher: () => new BwrapLauncher({ bwrap, arch, proc, stage }) }
    }
  }
}

/** What is wrong with it, in the words of who noticed; null if it works. */
async function tryOut (sandbox: Sandbox): Promise<string | null> {
  let executor: BashExecutor | null = null
  let folder: string | null = null
  try {
    folder = mkdtempSync(path.join(tmpdir(), 'bitworker-sandbox-'))
    const stdout = path.join(folder, 'out')
    writeFileSync(path.join(folder, 'f'), '', { mode: 0o644 })
    executor = new BashExecutor({ sandbox })
    const mounts = [{ path: path.join(folder, 'f'), at: `${SCRATCH}/m/f` }]
    await executor.run({ command: SELF_TEST, env: {}, cwd: folder, stdout, mounts, maxOutputBytes: 1000, timeoutMs: TEST_MS }).done
    return readFileSync(stdout, 'utf8') === 'ok\n' ? null : 'it runs commands, but does not give back what they say'
  } catch (err) {
    if (err instanceof CommandError) return err.stderr === '' ? err.message : err.stderr.slice(err.stderr.lastIndexOf('\n') + 1)
    return err instanceof Error ? err.message : String(err)
  } finally {
    await executor?.close()
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}
