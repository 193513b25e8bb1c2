/**
 * Launches commands in a bubblewrap sandbox: no network, a read-only system, a folder and processes of its own, and
 * nothing that gets out but stdout.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, constants as fsConstants, openSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { readStat } from '../../process-table.ts'
import { sandboxEnv } from '../env.ts'
import type { Launch, Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { STDERR_FILE_BYTES, StderrFiles } from '../stderr.ts'
import type { StderrFile } from '../stderr.ts'
import type { WorkItem } from '../types.ts'
import { SCRATCH, bwrapArgs } from './bwrap-args.ts'
import type { Mount, SandboxOptions, SystemFolder } from './bwrap-args.ts'
import { NOBODY, findProgram, hardLimits, highestFd, isRoot, systemFolders } from './host.ts'
import { NEST_CAPABILITIES, NEST_MOUNTS, nestCommand } from './nest-script.ts'
import { MARK, prelude } from './prelude.ts'
import type { HardLimits } from './prelude.ts'
import { seccompFilter } from './seccomp.ts'
import type { Arch } from './seccomp.ts'

/** Which bubblewrap sandbox. */
export interface BwrapOptions {
  /** absolute path of bwrap */
  bwrap: string
  arch: Arch
  /** with a /proc of its own */
  proc: boolean
  /** as root: mounts are prepared where `nobody` can reach them */
  stage: boolean
}

const [SECCOMP_FD, ARGS_FD, INFO_FD, PART_FD] = [3, 4, 5, 6]
/** Between two looks at whether what was killed is gone. */
const LOOK_MS = 1
/** A killed process can be held by a hanging disk. */
const GIVE_UP_MS = 5000

/**
 * Run as root in a mount namespace of its own, before anything of the command: nobody may not enter every folder that
 * what root has is in. $1 is a folder to use, the others what is to be mounted, up to `--`.
 */
const STAGE = `set -e
b=$1;shift;mount -t tmpfs -o mode=711,size=1m none "$b";i=0
while [ "$1" != -- ];do if [ -d "$1" ];then mkdir "$b/$i";else : >"$b/$i";fi;mount --rbind "$1" "$b/$i";i=$((i+1));shift;done;shift
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups "$@"`

/** Folders every system has, one of which is covered for what is staged. */
const STAGES = ['/mnt', '/media', '/srv', '/opt', '/run']

/** A sandbox for each command. */
export class BwrapLauncher implements Launcher {
  readonly scratch = SCRATCH
  readonly mark = randomUUID()
  readonly #opts: BwrapOptions
  readonly #system: SystemFolder[] = systemFolders()
  readonly #hard: HardLimits = hardLimits()
  readonly #perl = findProgram('perl', '/usr/')
  readonly #ionice = findProgram('ionice')
  readonly #filter: number
  readonly #infos = new StderrFiles()
  #isClosed = false

  constructor (opts: BwrapOptions) {
    this.#opts = opts
    this.#filter = unnamedFile(seccompFilter(opts.arch))
  }

  /** A nest needs perl and a /proc, and has nothing writable, which would outlive an item. */
  canNest ({ mounts = [] }: WorkItem): boolean {
    return this.#perl !== null && this.#opts.proc && mounts.every(({ at, writable }) => writable !== true && at.startsWith(`${SCRATCH}/`))
  }

  nest (item: WorkItem, limits: Limits, parts: number[]): Launch {
    const mounts = (item.mounts ?? []).map(({ path: from, at }) => ({ path: from, at, isFolder: isFolder(from) }))
    const command = nestCommand({
      perl: this.#perl!,
      arch: this.#opts.arch,
      parts: parts.length,
      firstPart: PART_FD,
      scratchBytes: limits.scratchBytes,
      mounts,
      command: this.#command(item, limits)
    })
    const shown = mounts.map((mount, i) => ({ path: mount.path, at: `${NEST_MOUNTS}/${i}` }))
    const launch = this.#launch({ ...item, env: {}, mounts: shown }, limits, command, { capabilities: NEST_CAPABILITIES })
    return { ...launch, stdin: 'pipe', fds: [...launch.fds, ...parts] }
  }

  launch (item: WorkItem, limits: Limits): Launch {
    return this.#launch(item, limits, this.#command(item, limits), { seccompFd: SECCOMP_FD })
  }

  #command (item: WorkItem, limits: Limits): string[] {
    return ['/bin/bash', '--noprofile', '--norc', '-c', this.#prelude(item, limits) + item.command, ...item.args ?? []]
  }

  #launch (item: WorkItem, limits: Limits, command: string[], more: Pick<SandboxOptions, 'capabilities' | 'seccompFd'>): Launch {
    const { mounts = [], env } = item
    const info = this.#infos.get(item.stdout)
    const filter = openAgain(this.#filter)
    const staged = isRoot() && this.#opts.stage && mounts.length > 0
    const { outer, shown } = staged ? this.#stage(mounts) : { outer: [], shown: mounts }
    const options = bwrapArgs({ limits, system: this.#system, mounts: shown, proc: this.#opts.proc, infoFd: INFO_FD, ...more })
    const [file = '', ...rest] = [
      ...outer, ...(this.#ionice === null ? [] : [this.#ionice, '-c', '3']), this.#opts.bwrap, '--args', String(ARGS_FD), '--', ...command
    ]
    return {
      file,
      args: rest,
      cwd: '/',
      env: { ...sandboxEnv(SCRATCH, env), [MARK]: this.mark },
      ...(isRoot() && !staged && { uid: NOBODY, gid: NOBODY }),
      isForeign: isRoot(),
      fds: [filter, 'pipe', info.fd],
      started: child => { begin(child, options) },
      ended: endOf,
      settled: async () => {
        closeSync(filter)
        await this.#gone(info)
      }
    }
  }

  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeSync(this.#filter)
    this.#infos.close()
  }

  /** One limit for all files: of what it prints, which is bounded more tightly from outside, and of what it writes to its folder. */
  #prelude ({ maxOutputBytes, mounts = [] }: WorkItem, limits: Limits): string {
    const written = mounts.some(({ writable }) => writable === true) ? limits.fileBytes : 0
    return prelude({
      limits,
      fileBytes: Math.max(maxOutputBytes + 1, limits.scratchBytes, written, STDERR_FILE_BYTES),
      hard: this.#hard,
      ...(!this.#opts.proc && { highestFd: highestFd() })
    })
  }

  #stage (mounts: readonly Mount[]): { outer: string[], shown: Mount[] } {
    const base = STAGES.find(folder => isFolder(folder) && !mounts.some(mount => `${mount.path}/`.startsWith(`${folder}/`))) ?? '/mnt'
    return {
      outer: ['unshare', '--mount', '--propagation', 'private', '--', '/bin/bash', '--noprofile', '--norc', '-c', STAGE, 'stage',
        base, ...mounts.map(mount => mount.path), '--'],
      shown: mounts.map((mount, i) => ({ ...mount, path: `${base}/${i}` }))
    }
  }

  /**
   * bwrap ends with the command; the first process inside, and with it all that the command left, is killed then, which
   * takes the kernel a moment. Until it is gone, something may still write to the part file. And if bwrap was killed while
   * it set itself up, nobody else does it.
   */
  async #gone (info: StderrFile): Promise<void> {
    const pid = /"child-pid": (\d+)/.exec(info.take())?.[1]
    this.#infos.giveBack(info)
    if (pid === undefined) return
    const end = performance.now() + GIVE_UP_MS
    for (let isGone = !isAlive(pid); !isGone && performance.now() < end; isGone = !isAlive(pid)) {
      try { process.kill(Number(pid), 'SIGKILL') } catch {} // it has gone meanwhile
      await new Promise(resolve => { setTimeout(resolve, LOOK_MS) })
    }
  }
}

/** The first process of a namespace becomes a zombie only when all others in it are gone. */
function isAlive (pid: string): boolean {
  const state = readStat(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/**
 * bwrap waits for its arguments. If we are killed before they are written, it reads none, and ends.
 */
function begin (child: ChildProcess, options: string[]): void {
  try {
    if (child.pid !== undefined) writeFileSync(`/proc/${child.pid}/oom_score_adj`, '1000')
  } catch {} // then the system chooses by itself who has to go
  const pipe = child.stdio[ARGS_FD] as Writable
  pipe.on('error', () => {}) // EPIPE: it has ended, which is seen by other means
  pipe.end(options.join('\0') + '\0')
}

/** bwrap says 128 + n for a command that signal n ended, as shells do. */
function endOf (exitCode: number): { exitCode: number | null, signal: NodeJS.Signals | null } {
  const signal = Object.entries(os.constants.signals).find(([, number]) => number === exitCode - 128)?.[0]
  return signal === undefined ? { exitCode, signal: null } : { exitCode: null, signal: signal as NodeJS.Signals }
}

function isFolder (at: string): boolean {
  return statSync(at, { throwIfNoEntry: false })?.isDirectory() === true
}

/** The same file from its beginning; it needs no name. */
function openAgain (fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, fsConstants.O_RDONLY)
}

/** A file that nobody else can open: its descriptor. */
function unnamedFile (bytes: Uint8Array): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fsConstants
  const at = path.join(os.tmpdir(), `bitworker-${randomUUID()}`)
  const fd = openSync(at, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  unlinkSync(at)
  writeFileSync(fd, bytes)
  return fd
}
