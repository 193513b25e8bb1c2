/**
 * A control group, version 1 or 2: limits what its processes use in total. Reads and writes files of the kernel
 * synchronously: each takes microseconds.
 */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { readOrEmpty } from '../../system/lenient-reads.ts'
import { signalProcess } from '../process/sessions.ts'
import type { Controller } from './hierarchy.ts'

/** The limits of a group, for all its processes together. */
export interface GroupLimits {
  /** bytes of memory of any kind: private, shared, files in memory, and the kernel's on their behalf */
  memoryBytes: number
  processes: number
}

/** A group. */
export interface Group {
  /** files to which a process writes "0" to join the group, with everything that it starts from then on */
  readonly procs: readonly string[]
  /** Sets the limits. Throws if the kernel refuses. */
  limit (limits: GroupLimits): void
  /** Whether the kernel has killed a member for lack of memory since the last call. */
  hasRunOut (): boolean
  /** Kills all members that can be found at once. */
  kill (): void
  /** Removes the group. Returns false if it is not empty. */
  remove (): boolean
}

/** A group of version 2. @param at its folder, whose parent delegates its controllers */
export class UnifiedGroup implements Group {
  readonly procs: readonly string[]
  readonly #at: string
  #ooms: number

  constructor (at: string) {
    mkdirSync(at)
    this.#at = at
    this.procs = [path.join(at, 'cgroup.procs')]
    // the command fails as a whole, not one of its processes; and it gets the lowest weight, so that it waits for
    // everything else
    for (const [file, value] of [
      ['memory.oom.group', '1'], ['memory.swap.max', '0'], ['cpu.weight', '1'], ['cpu.idle', '1']
    ] as const)
      tryWrite(path.join(at, file), value)
    this.#ooms = this.#countOoms()
  }

  limit ({ memoryBytes, processes }: GroupLimits): void {
    writeFileSync(path.join(this.#at, 'memory.max'), String(memoryBytes))
    tryWrite(path.join(this.#at, 'pids.max'), String(processes))
  }

  hasRunOut (): boolean {
    const before = this.#ooms
    return (this.#ooms = this.#countOoms()) > before
  }

  kill (): void {
    if (!tryWrite(path.join(this.#at, 'cgroup.kill'), '1')) killAll(this.procs)
  }

  remove (): boolean { return removeFolder(this.#at) }

  #countOoms (): number { return countIn(path.join(this.#at, 'memory.events')) }
}

/** A group of version 1: one folder for each controller. @param folders includes the controller `memory` */
export class LegacyGroup implements Group {
  readonly procs: readonly string[]
  readonly #folders: Partial<Record<Controller, string>>
  readonly #memory: string
  #ooms: number

  constructor (folders: Partial<Record<Controller, string>> & { memory: string }) {
    this.#folders = folders
    this.#memory = folders.memory
    for (const at of Object.values(folders)) mkdirSync(at)
    this.procs = Object.values(folders).map(at => path.join(at, 'cgroup.procs'))
    this.#ooms = this.#countOoms()
  }

  limit ({ memoryBytes, processes }: GroupLimits): void {
    // includes swap, so it is never less than the other limit
    const both = path.join(this.#memory, 'memory.memsw.limit_in_bytes')
    tryWrite(both, '-1')
    writeFileSync(path.join(this.#memory, 'memory.limit_in_bytes'), String(memoryBytes))
    tryWrite(both, String(memoryBytes))
    if (this.#folders.pids !== undefined) tryWrite(path.join(this.#folders.pids, 'pids.max'), String(processes))
  }

  hasRunOut (): boolean {
    const before = this.#ooms
    return (this.#ooms = this.#countOoms()) > before
  }

  kill (): void { killAll(this.procs) }

  remove (): boolean { return Object.values(this.#folders).map(removeFolder).every(Boolean) }

  #countOoms (): number { return countIn(path.join(this.#memory, 'memory.oom_control')) }
}

/** Removes a group without processes, and the groups in it. Never throws. */
export function removeFolder (at: string): boolean {
  try {
    rmdirSync(at)
    return true
  } catch (err) {
    return err instanceof Error && 'code' in err && err.code === 'ENOENT'
  }
}

/** Kills all processes that these files list. Never throws. */
export function killAll (files: readonly string[]): void {
  for (const file of files) {
    for (const pid of readOrEmpty(file).split('\n').map(Number)) signalProcess(pid, 'SIGKILL')
  }
}

function countIn (file: string): number {
  return Number(/^oom_kill (\d+)/m.exec(readOrEmpty(file))?.[1] ?? 0)
}

function tryWrite (file: string, value: string): boolean {
  try {
    writeFileSync(file, value, { flag: 'r+' })
    return true
  } catch {
    return false // this kernel does not have the file
  }
}
