/** Detects whether files have changed since they were read. */
import { statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'

/** Files that are looked at before others have their turn: about 1 ms. */
const FILES_AT_A_TIME = 100
/** After a check the next one waits for this many times what it took: looking takes at most a tenth of the time. */
const REST = 9
/** Longest wait, milliseconds: results are held back until they are known to be right. */
const MAX_REST_MS = 1_000
/** A shorter one is not worth a timer, milliseconds. */
const MIN_REST_MS = 10

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
 * begins after they have asked. A change is seen however late it is looked for, so many files are not looked at all the
 * time: whoever asks meanwhile waits for the same check.
 */
export class SharedCheck<T> {
  readonly #files: () => Iterable<T>
  readonly #isIntact: (file: T) => boolean
  readonly #clock: Clock
  #running: Promise<boolean> | null = null
  /** has not begun */
  #next: Promise<boolean> | null = null
  /** when the last check ended, the time that it took, and what it found */
  #last = { at: 0, ms: 0, isIntact: false }

  constructor (files: () => Iterable<T>, isIntact: (file: T) => boolean, clock: Clock = systemClock) {
    this.#files = files
    this.#isIntact = isIntact
    this.#clock = clock
  }

  /** True if all files are intact. Never rejects, and does not block the process. */
  async run (): Promise<boolean> {
    if (this.#running === null && this.#restMs <= 0) return this.#begin()
    this.#next ??= this.#later()
    return this.#next
  }

  /** The same, but what has changed since the last check may not be seen: for whoever asks `run` later. */
  async before (): Promise<boolean> {
    return this.#last.isIntact && this.#restMs > 0 ? true : this.run()
  }

  get #restMs (): number {
    const rest = Math.min(REST * this.#last.ms, MAX_REST_MS)
    return rest < MIN_REST_MS ? 0 : this.#last.at + rest - this.#clock.now()
  }

  async #later (): Promise<boolean> {
    await this.#running
    const ms = this.#restMs
    if (ms > 0) await new Promise<void>(resolve => { this.#clock.after(Math.ceil(ms), resolve) })
    this.#next = null
    return this.#begin()
  }

  async #begin (): Promise<boolean> {
    const running = this.#running = this.#check().finally(() => { this.#running = null })
    return running
  }

  async #check (): Promise<boolean> {
    let [count, ms, since, isIntact] = [0, 0, this.#clock.now(), true]
    try {
      for (const file of this.#files()) {
        if (!this.#isIntact(file)) return isIntact = false
        if (++count % FILES_AT_A_TIME > 0) continue
        ms += this.#clock.now() - since
        await setImmediate()
        since = this.#clock.now()
      }
      return true
    } catch {
      return isIntact = false
    } finally {
      const at = this.#clock.now()
      this.#last = { at, ms: ms + at - since, isIntact }
    }
  }
}
