/** Detects whether files have changed since they were read. */
import { statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** Files that are looked at before others have their turn: about 1 ms. */
const FILES_AT_A_TIME = 100

/** The state of a file when it was hashed. */
export interface FileMark {
  /** bytes */
  length: number
  mtimeMs: number
  /** time of any change, even if `mtimeMs` was set back afterwards; absent: not recorded */
  ctimeMs?: number
}

/** A text that changes with a file's content, even if someone tries to hide the change; '' if there is no file. */
function stampOf (stats: Stats | undefined): string {
  if (stats?.isFile() !== true) return ''
  const { dev, ino, size, mtimeMs, ctimeMs } = stats
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

/** The stamp of the file at a path. Never throws. */
export function stampAt (at: string): string { return stampOf(statsOf(at)) }

/** True if the file has not changed since. If it has, its content may still be the same. */
export function isUntouched (at: string, mark: FileMark | undefined): boolean {
  const stats = statsOf(at)
  return mark !== undefined && stats?.isFile() === true && mark.length === stats.size &&
    mark.mtimeMs === stats.mtimeMs && mark.ctimeMs === stats.ctimeMs
}

/** The stats of a path; undefined if it is not accessible. Never throws. */
export function statsOf (at: string): Stats | undefined {
  try {
    return statSync(at, { throwIfNoEntry: false })
  } catch {
    return undefined // a part of its path is not a folder
  }
}

/**
 * A check of many files, one at a time, for all who ask: whoever asks while one runs gets the next one, so that it
 * begins after they have asked.
 */
export class SharedCheck<T> {
  readonly #files: () => Iterable<T>
  readonly #isIntact: (file: T) => boolean
  #running: Promise<boolean> | null = null
  #next: Promise<boolean> | null = null

  constructor (files: () => Iterable<T>, isIntact: (file: T) => boolean) {
    this.#files = files
    this.#isIntact = isIntact
  }

  /** True if all files are intact. Never rejects, and does not block the process. */
  async run (): Promise<boolean> {
    if (this.#running === null) return this.#begin()
    this.#next ??= this.#running.then(async () => {
      this.#next = null
      return this.#begin()
    })
    return this.#next
  }

  async #begin (): Promise<boolean> {
    const running = this.#running = this.#check().catch(() => false).finally(() => {
      if (this.#running === running) this.#running = null
    })
    return running
  }

  async #check (): Promise<boolean> {
    let count = 0
    for (const file of this.#files()) {
      if (!this.#isIntact(file)) return false
      if (++count % FILES_AT_A_TIME === 0) await setImmediate()
    }
    return true
  }
}
