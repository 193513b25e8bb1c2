/**
 * Launches commands in a bubblewrap sandbox: no network, a read-only system, a folder and processes of its own, and
 * nothing that gets out but stdout.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import os from 'node:os'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { readStat } from '../../process-table.ts'
import { sandboxEnv } from '../env.ts'
import type { Launch, Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { StderrFiles } from '../stderr.ts'
import type { StderrFile } from '../stderr.ts'
import type { WorkItem } from '../types.ts'
import { SCRATCH, bwrapArgs } from './bwrap-args.ts'
import type { Mount, SandboxOptions, SystemFolder } from './bwrap-args.ts'
import { FilterFile } from './filter-file.ts'
import { NOBODY, endFirst, findProgram, hardLimits, highestFd, isFolder, isRoot, systemFolders } from './host.ts'
import { NEST_CAPABILITIES, NEST_MOUNTS, nestCommand } from './nest-script.ts'
import { MARK, bashCommand, fileBytesOf, prelude } from './prelude.ts'
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
  readonly #filter: FilterFile
  readonly #infos = new StderrFiles()

  constructor (opts: BwrapOptions) {
    this.#opts = opts
    this.#filter = new FilterFile(seccompFilter(opts.arch))
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
    return bashCommand(item, prelude({
      limits,
      fileBytes: fileBytesOf(item, limits),
      hard: this.#hard,
      ...(!this.#opts.proc && { highestFd: highestFd() })
    }))
  }

  #launch (item: WorkItem, limits: Limits, command: string[], more: Pick<SandboxOptions, 'capabilities' | 'seccompFd'>): Launch {
    const { mounts = [], env } = item
    const info = this.#infos.get(item.stdout)
    const filter = this.#filter.open()
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
    this.#filter.close()
    this.#infos.close()
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
  endFirst(child.pid)
  const pipe = child.stdio[ARGS_FD] as Writable
  pipe.on('error', () => {}) // EPIPE: it has ended, which is seen by other means
  pipe.end(options.join('\0') + '\0')
}

/** bwrap says 128 + n for a command that signal n ended, as shells do. */
function endOf (exitCode: number): { exitCode: number | null, signal: NodeJS.Signals | null } {
  const signal = Object.entries(os.constants.signals).find(([, number]) => number === exitCode - 128)?.[0]
  return signal === undefined ? { exitCode, signal: null } : { exitCode: null, signal: signal as NodeJS.Signals }
}
