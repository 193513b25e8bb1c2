/**
 * Launches commands in a bubblewrap sandbox: no network, a read-only system, folder and processes of its own, and no
 * way out except stdout.
 */
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import os from 'node:os'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { livingThread, readStat } from '../../system/process-table.ts'
import { sandboxEnv } from '../env.ts'
import type { Launch, LaunchHost, Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { signalProcess } from '../process/sessions.ts'
import type { Mount, WorkItem } from '../types.ts'
import { bwrapArgs } from './bwrap-args.ts'
import type { SandboxOptions, SystemFolder } from './bwrap-args.ts'
import { FilterFile } from './filter-file.ts'
import {
  COMMAND_UID, endFirst, findProgram, hardLimits, highestFd, isFolder, isRoot, systemFolders, systemProgram
} from './host.ts'
import { launchWith } from './taken.ts'
import type { Taken } from './taken.ts'
import { NEST_CAPABILITIES, NEST_MOUNTS, nestCommand } from './nest-script.ts'
import { outerCommand } from './outer.ts'
import { outlastCommand } from './outlast.ts'
import { MARK, bashCommand, fileBytesOf, prelude } from './prelude.ts'
import type { HardLimits } from './prelude.ts'
import { SCRATCH, STDIN } from './scratch.ts'
import { seccompFilter } from './seccomp.ts'
import type { Arch } from './seccomp.ts'
import { shownMounts } from './shown-copy.ts'

/** Options of the launcher. */
export interface BwrapOptions {
  /** absolute path of bwrap */
  bwrap: string
  arch: Arch
  /** with a /proc of its own */
  proc: boolean
  /** for root: prepares the mounts where the commands' user can reach them */
  stage: boolean
}

const [SECCOMP_FD, ARGS_FD, INFO_FD, NEXT_FD] = [3, 4, 5, 6]
/** Interval of the checks whether a killed process has ended. */
const LOOK_MS = 1
/** A hanging disk can hold a killed process. */
const GIVE_UP_MS = 5000

/**
 * Runs as root in a mount namespace of its own, before anything of the command, because the commands' user may not
 * enter every folder above root's files. $1 to $3 are mount, mkdir and setpriv, $4 is a folder to use, $5 says which
 * groups that user gets, the others up to `--` are what to mount.
 */
const STAGE = `set -e
m=$1 d=$2 p=$3 b=$4 g=$5;shift 5;"$m" -t tmpfs -o mode=711,size=1m none "$b";i=0
while [ "$1" != -- ];do if [ -d "$1" ];then "$d" "$b/$i";else : >"$b/$i";fi;"$m" --rbind "$1" "$b/$i";i=$((i+1));shift;done;shift
exec "$p" --reuid ${COMMAND_UID} --regid ${COMMAND_UID} "$g" "$@"`

const SETSID = systemProgram('setsid')

/** Folders that every system has; one of them is covered by the staged mounts. */
const STAGES = ['/mnt', '/media', '/srv', '/opt', '/run']

/** Makes a sandbox for each command. */
export class BwrapLauncher implements Launcher {
  readonly scratch = SCRATCH
  readonly hasRoots = true
  readonly mark = randomUUID()
  readonly #opts: BwrapOptions
  readonly #system: SystemFolder[] = systemFolders()
  readonly #hard: HardLimits = hardLimits()
  readonly #perl = findProgram('perl', '/usr/')
  readonly #ionice = findProgram('ionice')
  readonly #filter: FilterFile
  #host: LaunchHost | null = null

  constructor (opts: BwrapOptions) {
    this.#opts = opts
    this.#filter = new FilterFile(seccompFilter(opts.arch))
  }

  attach (host: LaunchHost): void { this.#host = host }

  /**
   * A nest needs perl, which a root may lack, and a /proc. It has no writable mounts, which would outlive an item, and
   * the stdin of its items is not known when it is made.
   */
  canNest ({ mounts = [], stdin, root }: WorkItem): boolean {
    return (
      root === undefined &&
      this.#perl !== null &&
      this.#opts.proc &&
      stdin === undefined &&
      mounts.every(({ at, writable }) => writable !== true && at.startsWith(`${SCRATCH}/`))
    )
  }

  nest (item: WorkItem, limits: Limits, parts: number[]): Launch {
    return this.#with(item, limits, taken => this.#nest(item, limits, parts, taken))
  }

  #nest (item: WorkItem, limits: Limits, parts: number[], taken: Taken): Launch {
    const mounts = (item.mounts ?? []).map(({ path: from, at }) => ({ path: from, at, isFolder: isFolder(from) }))
    const command = nestCommand({
      perl: this.#perl!,
      arch: this.#opts.arch,
      parts: parts.length,
      firstPart: NEXT_FD + taken.groupFds.length,
      scratchBytes: limits.scratchBytes,
      mounts,
      command: bashCommand(item, prelude({ limits, fileBytes: fileBytesOf(item, limits), hard: this.#hard }))
    })
    const shown = mounts.map((mount, i) => ({ path: mount.path, at: `${NEST_MOUNTS}/${i}` }))
    const launch = this.#launch({ ...item, env: {}, mounts: shown }, limits, command, taken, {
      capabilities: NEST_CAPABILITIES
    })
    return { ...launch, stdin: 'pipe', fds: [...launch.fds, ...parts] }
  }

  launch (item: WorkItem, limits: Limits): Launch {
    return this.#with(item, limits, taken => {
      const stdoutFd = NEXT_FD + taken.groupFds.length
      // opened inside: through a descriptor from outside, its owner could change the mode and open it again
      const reads = item.stdin === undefined ? [] : [{ path: item.stdin, at: STDIN }]
      const command = outlastCommand({
        fd: stdoutFd,
        limits,
        hard: this.#hard,
        ...(!this.#opts.proc && { highestFd: highestFd() }),
        ...(item.root === undefined && { setsid: SETSID }),
        ...(item.stdin !== undefined && { stdin: STDIN }),
        command: bashCommand(item, '')
      })
      const mounts = [...item.mounts ?? [], ...reads]
      const launch = this.#launch({ ...item, mounts }, limits, command, taken, { seccompFd: SECCOMP_FD })
      return { ...launch, stdin: 'pipe', stdoutFd, outlasts: true }
    })
  }

  #with (item: WorkItem, limits: Limits, make: (taken: Taken) => Launch): Launch {
    return launchWith(this.#host, { item, limits, isFolderInMemory: true, files: [this.#filter] }, make)
  }

  #launch (item: WorkItem, limits: Limits, command: string[], { files, groupFds }: Taken,
    more: Pick<SandboxOptions, 'capabilities' | 'seccompFd'>): Launch {
    const { mounts = [], env } = item
    const [filter] = files as [number]
    const roots = item.root === undefined ? [] : [{ path: item.root, at: '/' }]
    const all = [...roots, ...mounts]
    const staged = isRoot() && this.#opts.stage && all.length > 0
    const { outer, shown } = staged ? this.#stage(all) : { outer: [], shown: all }
    const programs = item.root === undefined ? { shown: shownMounts() } : { root: shown[0]!.path }
    const options = bwrapArgs({
      limits,
      system: this.#system,
      ...programs,
      mounts: shown.slice(roots.length),
      proc: this.#opts.proc,
      infoFd: INFO_FD,
      ...more
    })
    const [file = '', ...rest] = [
      ...outer,
      ...outerCommand({
        limits, fileBytes: fileBytesOf(item, limits), hard: this.#hard, groupFds: groupFds.map((_, i) => NEXT_FD + i)
      }),
      ...(this.#ionice === null ? [] : [this.#ionice, '-c', '3']),
      this.#opts.bwrap,
      '--args',
      String(ARGS_FD),
      '--',
      ...command
    ]
    let inside: Promise<number | null> = Promise.resolve(null)
    return {
      file,
      args: rest,
      cwd: '/',
      env: { ...sandboxEnv(SCRATCH, env), [MARK]: this.mark },
      ...(isRoot() && !staged && { uid: COMMAND_UID, gid: COMMAND_UID }),
      fds: [filter, 'pipe', 'pipe', ...groupFds],
      started: child => {
        inside = this.#firstProcess(child)
        begin(child, options)
      },
      ended: endOf,
      settled: async () => this.#gone(await inside)
    }
  }

  close (): void { this.#filter.close() }

  #stage (mounts: readonly Mount[]): { outer: string[], shown: Mount[] } {
    const base =
      STAGES.find(folder => isFolder(folder) && !mounts.some(mount => `${mount.path}/`.startsWith(`${folder}/`))) ??
      '/mnt'
    return {
      outer: [
        systemProgram('unshare'),
        '--mount',
        '--propagation',
        'private',
        '--',
        '/bin/bash',
        '--noprofile',
        '--norc',
        '-c',
        STAGE,
        'stage',
        ...['mount', 'mkdir', 'setpriv'].map(systemProgram),
        base,
        groupsFor(mounts),
        ...mounts.map(mount => mount.path),
        '--'
      ],
      shown: mounts.map((mount, i) => ({ ...mount, path: `${base}/${i}` }))
    }
  }

  /**
   * bwrap ends with the command. The first process inside is then killed, and with it everything that the command left,
   * which takes the kernel a moment. If bwrap was killed while it set itself up, that process must be killed here.
   */
  async #gone (pid: number | null): Promise<void> {
    if (pid === null) return
    const end = performance.now() + GIVE_UP_MS
    for (let isGone = !isAlive(pid); !isGone && performance.now() < end; isGone = !isAlive(pid)) {
      signalProcess(pid, 'SIGKILL')
      await new Promise(resolve => { setTimeout(resolve, LOOK_MS) })
    }
    this.#host?.watchdog.forget(pid)
  }

  /**
   * The pid of the first process, reported by bwrap; null if there was none. It leads a session of its own, which
   * contains the whole sandbox.
   */
  async #firstProcess (child: ChildProcess): Promise<number | null> {
    const pipe = child.stdio[INFO_FD] as Socket
    let text = ''
    return new Promise(resolve => {
      pipe.setEncoding('latin1').on('data', (more: string) => {
        text += more
        if (!text.includes('}')) return // a pipe closed during the write would kill bwrap
        pipe.destroy()
        const pid = Number(/"child-pid": (\d+)/.exec(text)?.[1] ?? 0)
        if (pid > 1) this.#host?.watchdog.watch(pid)
        resolve(pid > 1 ? pid : null)
      }).on('error', () => {}).once('close', () => { resolve(null) })
    })
  }
}

/** The groups that may use the device nodes, such as `render`, as a flag of setpriv. */
function groupsFor (mounts: readonly Mount[]): string {
  const groups = mounts
    .filter(({ isDevice }) => isDevice === true)
    .map(mount => statSync(mount.path, { throwIfNoEntry: false })?.gid ?? 0)
    .filter(gid => gid !== 0)
  return groups.length === 0 ? '--clear-groups' : `--groups=${[...new Set(groups)].join(',')}`
}

/** The first process of a namespace becomes a zombie only when all others in it have ended. */
function isAlive (pid: number): boolean {
  return livingThread(pid, readStat(pid)?.[0]) !== null
}

/** bwrap waits for its arguments. If we are killed before they are written, it reads none, and ends. */
function begin (child: ChildProcess, options: string[]): void {
  endFirst(child.pid)
  const pipe = child.stdio[ARGS_FD] as Writable
  pipe.on('error', () => {}) // EPIPE: it has ended, which is noticed elsewhere
  pipe.end(options.join('\0') + '\0')
}

/** bwrap exits with 128 + n for a command that was killed by signal n, like a shell. */
function endOf (exitCode: number): { exitCode: number | null, signal: NodeJS.Signals | null } {
  const signal = Object.entries(os.constants.signals).find(([, number]) => number === exitCode - 128)?.[0]
  return signal === undefined ? { exitCode, signal: null } : { exitCode: null, signal: signal as NodeJS.Signals }
}
