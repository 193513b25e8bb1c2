/**
 * The progress of a task: pieces and bytes, in total and by file, and the time left. Pure; constant time per piece.
 *
 * Sizes vary, and are known only when a piece has been computed. A length is therefore an upper bound (the piece length
 * for each missing piece), which becomes exact with the last piece. Progress is counted in pieces, the unit of work.
 */
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'

/** The pace is computed from this many recent pieces. */
const PACE_PIECES = 64
/**
 * There is no pace when no piece has been stored for this long, and for several times the longest interval between
 * recent pieces.
 */
const STALL_MS = 10_000
const STALL_WAITS = 3

interface Tally { pieces: number, stored: number, bytes: number }

/** The tallies of one task. */
export class Progress {
  readonly #task: Task
  readonly #all: Tally
  readonly #files: Tally[]
  /** times of recent pieces, oldest first; milliseconds */
  #times: number[] = []

  constructor (task: Task) {
    this.#task = task
    this.#all = { pieces: task.pieceCount, stored: 0, bytes: 0 }
    this.#files = task.files.map(({ parts }) => ({ pieces: parts, stored: 0, bytes: 0 }))
  }

  /** A piece of `size` bytes was stored. `now` is omitted for pieces that were already on disk. */
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

  /** Bytes: exact if every piece is stored, otherwise an upper bound. */
  length (file?: number): number {
    const { pieces, stored, bytes } = this.tally(file)
    return bytes + (pieces - stored) * this.#task.pieceLength
  }

  /** 0 to 1, in pieces. */
  fraction (file?: number): number {
    const { pieces, stored } = this.tally(file)
    return stored / pieces
  }

  /** Work begins: the time until the first piece counts, too. */
  begin (now: number): void {
    if (this.#times.length === 0) this.#times.push(now)
  }

  /** Milliseconds at the current pace; Infinity if there is none. */
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
