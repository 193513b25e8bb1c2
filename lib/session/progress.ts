/**
 * How far a task is: pieces and bytes, in all and by file, and how long the rest may take. Pure; constant time a piece.
 *
 * Sizes vary and are known only once a piece is computed, so a length is an upper bound (piece length for each missing
 * piece) that becomes exact with the last piece; progress is counted in pieces, which is also what work is done in.
 */
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'

/** The pace is taken over this many of the latest pieces. */
const PACE_PIECES = 64
/**
 * When nothing came for this long, and for so many times the longest wait for one of those pieces, there is no pace.
 */
const STALL_MS = 10_000
const STALL_WAITS = 3

interface Tally { pieces: number, stored: number, bytes: number }

/** The tallies of one task. */
export class Progress {
  readonly #task: Task
  readonly #all: Tally
  readonly #files: Tally[]
  /** when the latest pieces came, oldest first; milliseconds */
  #times: number[] = []

  constructor (task: Task) {
    this.#task = task
    this.#all = { pieces: task.pieceCount, stored: 0, bytes: 0 }
    this.#files = task.files.map(({ parts }) => ({ pieces: parts, stored: 0, bytes: 0 }))
  }

  /** A piece of `size` bytes was stored; `now` is left out for pieces that were on disk already. */
  add (index: number, size: number, now?: number): void {
    this.#count(index, 1, size)
    if (now === undefined) return
    this.#times.push(now)
    if (this.#times.length > PACE_PIECES * 2) this.#times = this.#times.slice(-PACE_PIECES - 1)
  }

  /** A stored piece was lost. */
  remove (index: number, size: number): void {
    this.#count(index, -1, -size)
  }

  /** The tally of a file, or of the whole task. */
  tally (file?: number): Readonly<Tally> {
    return file === undefined ? this.#all : this.#files[file]!
  }

  /** Bytes: exact when every piece is stored, an upper bound until then. */
  length (file?: number): number {
    const { pieces, stored, bytes } = this.tally(file)
    return bytes + (pieces - stored) * this.#task.pieceLength
  }

  /** 0 … 1, in pieces. */
  fraction (file?: number): number {
    const { pieces, stored } = this.tally(file)
    return stored / pieces
  }

  /** Work begins: the time until the first piece counts, too. */
  begin (now: number): void {
    if (this.#times.length === 0) this.#times.push(now)
  }

  /** Milliseconds at the pace of the latest pieces; Infinity while there is none, or nothing has come for long. */
  remainingMs (now: number): number {
    const missing = this.#all.pieces - this.#all.stored
    if (missing === 0) return 0
    const times = this.#times.slice(-PACE_PIECES - 1)
    if (times.length < 2) return Infinity
    const longest = Math.max(...times.slice(1).map((time, at) => time - times[at]!))
    if (now - times.at(-1)! > Math.max(STALL_MS, STALL_WAITS * longest)) return Infinity
    // counted up to now, so that the estimate grows while nothing arrives
    return missing * (now - times[0]!) / (times.length - 1)
  }

  #count (index: number, pieces: number, bytes: number): void {
    for (const tally of [this.#all, this.#files[locate(this.#task, index).file]!]) {
      tally.stored += pieces
      tally.bytes += bytes
    }
  }
}
