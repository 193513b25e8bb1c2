/**
 * The states of a task's pieces for those who look at them: as bytes, and as what changes. It costs nothing while
 * nobody looks. Pure: the caller says when to look again.
 */
import type { Overview, PieceStatus } from '../session/overview.ts'
import { PIECE_STATES } from './piece-states.ts'
import type { Run } from './piece-states.ts'

/** Pieces that are looked at each time, besides those of which something is known to have happened. */
const LOOKED_AT = 10_000
/** Beyond so many runs, the page fetches all states again. */
const MAX_RUNS = 2_000
/** The most copies that are told apart. */
const MAX_COPIES = 15

const CODES = Object.fromEntries(PIECE_STATES.map((name, code) => [name, code])) as Record<PieceStatus, number>

/** What has changed; `runs` is null if that is too much to say. */
export interface StateChange { version: number, runs: Run[] | null }

/** Watches the pieces of one task. */
export class PieceWatch {
  readonly #pieces: number
  readonly #overview: Pick<Overview, 'statusOf' | 'copiesOf' | 'claimed'>
  /** null: nobody looks */
  #codes: Uint8Array | null = null
  readonly #touched = new Set<number>()
  #claimed = new Set<number>()
  #next = 0
  #version = 0

  constructor (pieces: number, overview: Pick<Overview, 'statusOf' | 'copiesOf' | 'claimed'>) {
    this.#pieces = pieces
    this.#overview = overview
  }

  /** Something has happened to the piece. */
  touch (index: number): void { if (this.#codes !== null) this.#touched.add(index) }

  /** The states of all pieces, and how many changes are in them. */
  all (): { version: number, codes: Uint8Array } {
    return { version: this.#version, codes: this.#codes ?? this.#read() }
  }

  /** The number of copies of each piece; 15: so many or more. */
  copies (): Uint8Array { return this.#fill(index => Math.min(MAX_COPIES, this.#overview.copiesOf(index))) }

  /** Somebody looks from now on. */
  begin (): void { this.#codes ??= this.#read() }

  /** Nobody looks any more. */
  end (): void {
    this.#codes = null
    this.#touched.clear()
  }

  /** Looks again at a part of the pieces, and at those of which something is known; null: nothing has changed. */
  look (): StateChange | null {
    const codes = this.#codes
    if (codes === null) return null
    const claimed = new Set(this.#overview.claimed())
    for (const index of claimed) if (!this.#claimed.has(index)) this.#touched.add(index)
    for (const index of this.#claimed) if (!claimed.has(index)) this.#touched.add(index)
    this.#claimed = claimed
    const pieces = this.#pieces
    for (let n = Math.min(LOOKED_AT, pieces); n > 0; n--) {
      if (codes[this.#next] !== CODES[this.#overview.statusOf(this.#next)]) this.#touched.add(this.#next)
      this.#next = (this.#next + 1) % pieces
    }
    const changed: number[] = []
    for (const index of this.#touched) {
      const code = CODES[this.#overview.statusOf(index)]
      if (codes[index] === code) continue
      codes[index] = code
      changed.push(index)
    }
    this.#touched.clear()
    if (changed.length === 0) return null
    this.#version++
    const runs = runsOf(changed.sort((a, b) => a - b), codes)
    return { version: this.#version, runs: runs.length > MAX_RUNS ? null : runs }
  }

  #read (): Uint8Array { return this.#fill(index => CODES[this.#overview.statusOf(index)]) }

  #fill (valueOf: (index: number) => number): Uint8Array {
    const values = new Uint8Array(this.#pieces)
    for (let index = 0; index < values.length; index++) values[index] = valueOf(index)
    return values
  }
}

/** @param changed ascending */
function runsOf (changed: readonly number[], codes: Uint8Array): Run[] {
  const runs: Run[] = []
  for (const index of changed) {
    const last = runs.at(-1)
    const code = codes[index]!
    if (last !== undefined && last[0] + last[1] === index && last[2] === code) last[1]++
    else runs.push([index, 1, code])
  }
  return runs
}
