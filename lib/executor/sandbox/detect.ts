/**
 * Finds out which sandbox works on this machine, by running a command in it, with the same configuration as for work
 * items.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { CommandError } from '../../base/errors.ts'
import { errnoOf } from '../../system/io-errors.ts'
import { BashExecutor } from '../bash-executor.ts'
import { BwrapLauncher } from './bwrap.ts'
import { archOf, findProgram, isRoot } from './host.ts'
import { LandlockLauncher } from './landlock.ts'
import { remedyFor } from './remedies.ts'
import { SCRATCH } from './scratch.ts'
import type { Arch } from './syscalls.ts'
import type { Sandbox, SandboxChoice, SandboxReport } from './types.ts'

/** Prints 'ok' only if everything holds that can be tested without harm. */
const SELF_TEST = `
[ "$PWD $HOME $TMPDIR" = "$SCRATCH $SCRATCH $SCRATCH" ] || { echo "the working directory is $PWD" >&2; exit 1; }
: > here || exit 1
[ "$(< "$SHOWN")" = shown ] || { echo 'what is mounted cannot be read' >&2; exit 1; }
for f in "$SHOWN" "$HIDDEN" /x /usr/x /dev/x; do if (: > "$f") 2> /dev/null; then echo "$f can be written" >&2; exit 1; fi; done
if (: < "$HIDDEN") 2> /dev/null; then echo "$HIDDEN can be read" >&2; exit 1; fi
`

const IN_NAMESPACES = `
for f in /home /root /run /sys /var/lib/dpkg /var/log /etc/shadow /etc/hostname /etc/machine-id /etc/ssh /etc/ssl/private; do if [ -e $f ]; then echo "$f can be seen" >&2; exit 1; fi; done
if [ -e /proc/self ]; then
  net=$(< /proc/net/dev); [[ $net =~ eth|wlan|en[ops] ]] && { echo 'the network can be seen' >&2; exit 1; }
  if (: > /proc/sys/kernel/core_pattern) 2> /dev/null; then echo '/proc/sys can be written' >&2; exit 1; fi
  status=$(< /proc/self/status)
  [[ $status =~ CapEff:[[:space:]]*0+$'\\n' ]] || { echo 'it has capabilities' >&2; exit 1; }
  [[ $status =~ Seccomp:[[:space:]]*2 ]] || { echo 'system calls are not filtered' >&2; exit 1; }
fi
echo ok
`

/** Files exist, but cannot be opened. Perl tests the rest. */
const IN_LANDLOCK = `
for f in /home /root /var /run /sys /tmp /proc; do if compgen -G "$f/*" > /dev/null; then echo "$f can be listed" >&2; exit 1; fi; done
if (: < /etc/passwd) 2> /dev/null; then echo '/etc/passwd can be read' >&2; exit 1; fi
if kill -0 $PPID 2> /dev/null; then echo 'signals reach other processes' >&2; exit 1; fi
perl -e 'for (1, 2, 10, 16) { exit 1 if socket(my $s, $_, 1, 0) } require POSIX; exit(POSIX::setsid() > 0)' || { echo 'system calls are not filtered' >&2; exit 1; }
echo ok
`

const TEST_MS = 10_000
const TEMPORARY_NAME = 'bitworker-sandbox-'
/** More than the test of a sandbox needs. */
const TEMPORARY_BYTES = 64 * 1024
const WHY: Record<string, string> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'it is not a folder',
  EACCES: 'you may not write to it',
  EPERM: 'you may not write to it',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'your quota of its disk is used up'
}
const reports = new Map<SandboxChoice, Promise<SandboxReport>>()

/** Tries the possible sandboxes, best first. Done once per process; never rejects. */
export async function detectSandbox (choice: SandboxChoice = 'auto'): Promise<SandboxReport> {
  const known = reports.get(choice) ?? detect(choice)
  reports.set(choice, known)
  return known
}

async function detect (choice: SandboxChoice): Promise<SandboxReport> {
  if (choice === 'none') return { tier: 'none', sandbox: null, problems: [] }
  const noRoom = temporaryProblem()
  if (noRoom !== null) return { tier: 'none', sandbox: null, problems: [noRoom] }
  const problems: string[] = []
  for (const candidate of candidates(choice, problems)) {
    const problem = await tryOut(candidate)
    if (problem === null) return { tier: candidate.tier, sandbox: candidate, problems: [...new Set(problems)] }
    problems.push(remedyFor(candidate.tier, problem))
  }
  return { tier: 'none', sandbox: null, problems: [...new Set(problems)] }
}

/** Every sandbox needs a folder for temporary files. Returns what is wrong with it, in one line; null if it works. */
function temporaryProblem (): string | null {
  const at = tmpdir()
  let folder: string | null = null
  try {
    folder = mkdtempSync(path.join(at, TEMPORARY_NAME))
    writeFileSync(path.join(folder, 'full'), Buffer.alloc(TEMPORARY_BYTES))
    return null
  } catch (err) {
    const why = WHY[errnoOf(err)] ?? (err instanceof Error ? err.message : String(err))
    return `${at}, the folder for temporary files (TMPDIR), cannot be used: ${why}. Set TMPDIR to a writable folder with free space.`
  } finally {
    removeTemporary(folder)
  }
}

/** If it cannot be removed, it is left to the system. */
function removeTemporary (folder: string | null): void {
  try { if (folder !== null) rmSync(folder, { recursive: true, force: true }) } catch {}
}

function * candidates (choice: SandboxChoice, problems: string[]): Generator<Sandbox> {
  const arch = archOf()
  if (arch === null) {
    problems.push(
      `There is no system call filter for this architecture (${process.arch}). Use x86-64 or arm64.`
    )
    return
  }
  if (choice !== 'landlock') yield * bwraps(arch, problems)
  if (choice === 'bwrap') return
  const perl = findProgram('perl')
  if (perl === null) problems.push('Perl, which the landlock sandbox needs, is not installed. Install it.')
  else yield { tier: 'landlock', createLauncher: () => new LandlockLauncher({ perl, arch }) }
}

function * bwraps (arch: Arch, problems: string[]): Generator<Sandbox> {
  const bwrap = findProgram('bwrap')
  if (bwrap === null) {
    problems.push(
      'Bubblewrap is not installed. Install the package bubblewrap (Debian and Ubuntu: apt-get install bubblewrap).'
    )
    return
  }
  for (const proc of [true, false]) {
    for (const stage of isRoot() ? [true, false] : [false]) {
      yield { tier: proc ? 'bwrap' : 'bwrap-noproc', createLauncher: () => new BwrapLauncher({ bwrap, arch, proc, stage }) }
    }
  }
}

/** Returns what is wrong with the sandbox, in the words of the failing program; null if it works. */
async function tryOut (sandbox: Sandbox): Promise<string | null> {
  let executor: BashExecutor | null = null
  let folder: string | null = null
  try {
    folder = mkdtempSync(path.join(tmpdir(), TEMPORARY_NAME))
    const [stdout, shown, hidden, cwd] = ['out', 'shown', 'hidden', 'scratch'].map(name =>
      path.join(folder!, name)
    ) as [string, string, string, string]
    for (const file of [shown, hidden]) writeFileSync(file, 'shown\n', { mode: 0o644 })
    mkdirSync(cwd)
    executor = new BashExecutor({ sandbox })
    const { scratch } = executor
    const at = `${SCRATCH}/m/f`
    const env = { SCRATCH: scratch ?? cwd, SHOWN: scratch === undefined ? shown : at, HIDDEN: hidden }
    const command = SELF_TEST + (sandbox.tier === 'landlock' ? IN_LANDLOCK : IN_NAMESPACES)
    await executor.run({
      command, env, cwd, stdout, mounts: [{ path: shown, at }], maxOutputBytes: 1000, timeoutMs: TEST_MS
    }).done
    return readFileSync(stdout, 'utf8') === 'ok\n' ? null : 'it runs commands, but their output is lost'
  } catch (err) {
    if (err instanceof CommandError) {
      return err.stderr === '' ? err.message : err.stderr.slice(err.stderr.lastIndexOf('\n') + 1)
    }
    return err instanceof Error ? err.message : String(err)
  } finally {
    await executor?.close()
    removeTemporary(folder)
  }
}
