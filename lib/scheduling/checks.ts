/**
 * The checks of one task: pieces that are computed here although there is a result, to compare (docs/scheduling.md,
 * "Checks"). Pure. Without checks it takes no memory. Who asks for them is no concern of this file. Called by
 * scheduler.ts, and by whoever asks.
 */
import type { Candidates } from './candidates.ts'

/** Callbacks and parts of the owner of the checks. */
export interface ChecksHost {
  /** an empty set of pieces in the order in which they are computed */
  createCandidates (): Candidates
  /** the share of the items that are checks while pieces are missing, 0 to 1 */
  share (): number
  /** whether the piece may be started now, whatever others have or claim */
  mayRun (index: number): boolean
  /** whether it may be computed has changed */
  changed (index: number): void
}

/** The checks of one task. */
export class Checks {
  readonly #host: ChecksHost
  /** to be computed, or being computed; oldest first */
  readonly #wanted = new Set<number>()
  readonly #running = new Set<number>()
  readonly #unaccepted = new Set<number>()
  readonly #looks = new Set<number>()
  readonly #asked = new Set<number>()
  /** those of `#unaccepted` and `#looks` that could be started */
  #free: Candidates | null = null
  #givenUp: (index: number) => void = () => {}
  /** items that gave a result */
  #items = 0
  #checked = 0

  constructor (host: ChecksHost) {
    this.#host = host
  }

  /** The piece is to be computed once more from now on, whether or not it is stored, and whoever claims it. */
  add (index: number): void {
    if (this.#wanted.has(index)) return
    this.#wanted.add(index)
    this.#host.changed(index)
  }

  /** Calls `listener` with each piece that is left to other peers, because its command fails here. */
  onGivenUp (listener: (index: number) => void): void { this.#givenUp = listener }

  /** The piece cannot be computed here. */
  giveUp (index: number): void {
    this.#wanted.delete(index)
    this.#givenUp(index)
  }

  /** The piece need not be computed for its own sake any more. */
  drop (index: number): void { this.#wanted.delete(index) }

  /** True if the piece is to be computed, whatever others have. */
  has (index: number): boolean { return this.#wanted.has(index) }

  /** The pieces to be computed, oldest first. */
  get wanted (): Iterable<number> { return this.#wanted }

  /**
   * Sets whether the result that is stored is believed. One that is not is computed here, too, when no missing piece
   * can be; at once if a reader waits for it.
   */
  setAccepted (index: number, isAccepted: boolean): void {
    if (isAccepted === !this.#unaccepted.has(index)) return
    this.#setMember(this.#unaccepted, index, !isAccepted)
  }

  /** Sets whether a stored piece, though believed, is to be computed by one more peer, when no missing piece can be. */
  setLook (index: number, isWanted: boolean): void {
    if (isWanted !== this.#looks.has(index)) this.#setMember(this.#looks, index, isWanted)
  }

  #setMember (set: Set<number>, index: number, isMember: boolean): void {
    if (isMember) set.add(index)
    else set.delete(index)
    this.#host.changed(index)
  }

  /** The piece is to be computed by one more peer, if it is stored. */
  isSecond (index: number): boolean { return this.#unaccepted.has(index) || this.#looks.has(index) }

  /** The same, or it is checked here in any case. */
  isNeeded (index: number): boolean { return this.isSecond(index) || this.has(index) }

  /** Pieces that are computed only to compare: what is stored of them, if anything, is believed. */
  * comparisons (): Generator<number> {
    yield * this.#wanted
    for (const index of this.#looks) if (!this.#wanted.has(index)) yield index
  }

  /** Some could be started now. */
  get isStartable (): boolean { return this.next() !== undefined || (this.#free?.size ?? 0) > 0 }

  /** Stored pieces that are not believed. */
  get unaccepted (): ReadonlySet<number> { return this.#unaccepted }

  /** False if what is stored is not believed. */
  isAccepted (index: number): boolean { return !this.#unaccepted.has(index) }

  /** While somebody is asked whether to believe an announced result, its piece counts as claimed. */
  setAsked (index: number, isAsked: boolean): void {
    if (isAsked === this.#asked.has(index)) return
    if (isAsked) this.#asked.add(index)
    else this.#asked.delete(index)
    this.#host.changed(index)
  }

  isAsked (index: number): boolean { return this.#asked.has(index) }

  /**
   * The check to start before missing pieces, if checks have had less than their share.
   * @param running number of items that are claimed or running, checks included
   */
  due (running: number): number | undefined {
    if (this.#wanted.size === 0) return undefined
    if (this.#checked + this.#running.size >= this.#host.share() * (this.#items + running)) return undefined
    return this.next()
  }

  /** The next check. */
  next (): number | undefined {
    for (const index of this.#wanted) if (this.#host.mayRun(index)) return index
    return undefined
  }

  /** A stored piece that is not believed, or that needs a second look, by rank. */
  second (random: () => number, now: number): number | undefined { return this.#free?.pick(random, now) }

  /** Sets whether a second computation of a piece could be started. Returns that. */
  setFree (index: number, isFree: boolean): boolean {
    if (isFree) this.#free ??= this.#host.createCandidates()
    this.#free?.set(index, isFree)
    return isFree
  }

  /** The order of the pieces has changed. */
  outdate (): void { this.#free?.outdate() }

  started (index: number): void { this.#running.add(index) }

  /** A work item gave a result; it need not have been started as a check. */
  computed (index: number): void {
    this.#items++
    if (this.#running.has(index)) this.#checked++
    this.#wanted.delete(index)
  }

  /** The work item has ended, with or without a result. */
  ended (index: number): void { this.#running.delete(index) }
}
