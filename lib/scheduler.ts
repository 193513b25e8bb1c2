/**
 * Which piece to compute next. Pure: the clock and the random source are handed in, so that a whole swarm can be
 * simulated on a virtual clock with this very code.
 *
 * The rule (paper section 4.1, with the collision avoidance its section 6.1 asks for): a random one of the pieces that
 * are wanted, missing, held by no connected peer, claimed by none, and not given up here; pieces that a reader waits
 * for come first. Times are milliseconds on any steady clock.
 */
import { IndexSet } from './index-set.ts'

/** Runs of one piece's command here before it is left to other peers. */
export const MAX_ATTEMPTS = 3
/** Wait before a failed piece is tried again here, times four for each failure: others go first. */
export const RETRY_MS = 1_000

/** Names a peer in the claim table; compared by identity. */
export type PeerKey = object

interface Failure { attempts: number, retryAt: number }

/** The state of one task's pieces as far as it decides what to compute. */
export class Scheduler {
  readonly #random: () => number
  readonly #missing: IndexSet
  readonly #candidates: IndexSet
  readonly #wanted: Uint8Array
  readonly #available: Uint8Array
  readonly #claims = new Map<number, Set<PeerKey>>()
  readonly #running = new Map<number, number>()
  readonly #failures = new Map<number, Failure>()
  readonly #urgent = new Set<number>()

  /**
   * @param pieceCount all pieces start missing, wanted, and held by nobody
   * @param random gives numbers in [0, 1)
   */
  constructor (pieceCount: number, random: () => number) {
    this.#random = random
    this.#missing = new IndexSet(pieceCount)
    this.#candidates = new IndexSet(pieceCount)
    this.#wanted = new Uint8Array(pieceCount).fill(1)
    this.#available = new Uint8Array(pieceCount)
    for (let index = 0; index < pieceCount; index++) {
      this.#missing.add(index)
      this.#candidates.add(index)
    }
  }

  /** Pieces not stored here. */
  get missing (): number { return this.#missing.size }

  /** Pieces being computed here. */
  get running (): number { return this.#running.size }

  /** Pieces that connected peers say they are computing. */
  get claimed (): number { return this.#claims.size }

  /** Pieces that failed here so often that they are left to other peers. */
  get givenUp (): number {
    let count = 0
    for (const { attempts } of this.#failures.values()) if (attempts >= MAX_ATTEMPTS) count++
    return count
  }

  isMissing (index: number): boolean { return this.#missing.has(index) }
  isWanted (index: number): boolean { return this.#wanted[index] === 1 }
  isRunning (index: number): boolean { return this.#running.has(index) }
  isClaimed (index: number): boolean { return this.#claims.has(index) }

  setMissing (index: number, missing: boolean): void {
    this.#missing.set(index, missing)
    if (!missing) this.#failures.delete(index)
    this.#refresh(index)
  }

  /** Whether the user wants the piece (BEP 53 selections, `deselect`). */
  setWanted (index: number, wanted: boolean): void {
    this.#wanted[index] = wanted ? 1 : 0
    this.#refresh(index)
  }

  /** Whether a connected peer holds the piece: then it is downloaded, never computed. */
  setAvailable (index: number, available: boolean): void {
    this.#available[index] = available ? 1 : 0
    this.#refresh(index)
  }

  /** A reader waits for the piece: it goes before all others. */
  setUrgent (index: number, urgent: boolean): void {
    if (urgent) this.#urgent.add(index)
    else this.#urgent.delete(index)
  }

  isUrgent (index: number): boolean { return this.#urgent.has(index) }

  /** Pieces that readers wait for. */
  get urgent (): Iterable<number> { return this.#urgent }

  /** A peer claims the piece; when a claim lapses is the connection's business (extensions/ut_bitworker/state.ts). */
  claim (peer: PeerKey, index: number): void {
    const claims = this.#claims.get(index)
    if (claims === undefined) this.#claims.set(index, new Set([peer]))
    else claims.add(peer)
    this.#refresh(index)
  }

  release (peer: PeerKey, index: number): void {
    const claims = this.#claims.get(index)
    if (claims?.delete(peer) !== true) return
    if (claims.size === 0) this.#claims.delete(index)
    this.#refresh(index)
  }

  /** The peer is gone, and with it all that it claimed. */
  removePeer (peer: PeerKey): void {
    for (const index of [...this.#claims.keys()]) this.release(peer, index)
  }

  /** The piece to start now, or undefined when there is none. */
  next (now: number): number | undefined {
    this.#readmit(now)
    for (const index of this.#urgent) if (this.#candidates.has(index)) return index
    return this.#candidates.pick(this.#random)
  }

  /** The piece is being computed here from `now` on. */
  start (index: number, now: number): void {
    this.#running.set(index, now)
    this.#refresh(index)
  }

  /** The work item ended without a result that counts against the piece (killed, yielded). */
  stop (index: number): void {
    this.#running.delete(index)
    this.#refresh(index)
  }

  /** The work item failed. True when the piece is given up here. */
  fail (index: number, now: number): boolean {
    const attempts = (this.#failures.get(index)?.attempts ?? 0) + 1
    this.#failures.set(index, { attempts, retryAt: now + RETRY_MS * 4 ** (attempts - 1) })
    this.stop(index)
    return attempts >= MAX_ATTEMPTS
  }

  /** When a failed piece is due again, or Infinity. */
  wakeAt (): number {
    let at = Infinity
    for (const { attempts, retryAt } of this.#failures.values()) if (attempts < MAX_ATTEMPTS) at = Math.min(at, retryAt)
    return at
  }

  /**
   * The wanted pieces when all that are missing were given up here and no connected peer has or claims one of them;
   * empty otherwise.
   */
  hopeless (): number[] {
    if (this.#running.size > 0 || this.#candidates.size > 0 || this.#failures.size === 0) return []
    const wanted = [...this.#missing].filter(index => this.isWanted(index))
    return wanted.every(index => this.#isHopeless(index)) ? wanted : []
  }

  #isHopeless (index: number): boolean {
    const attempts = this.#failures.get(index)?.attempts ?? 0
    return attempts >= MAX_ATTEMPTS && this.#available[index] === 0 && !this.#claims.has(index)
  }

  #readmit (now: number): void {
    for (const [index, failure] of this.#failures) {
      if (failure.attempts >= MAX_ATTEMPTS || failure.retryAt > now) continue
      failure.retryAt = Infinity
      this.#refresh(index)
    }
  }

  /** Keeps `#candidates` true to its definition; called after every change of what it depends on. */
  #refresh (index: number): void {
    const failure = this.#failures.get(index)
    const isHeldBack = failure !== undefined && (failure.attempts >= MAX_ATTEMPTS || failure.retryAt !== Infinity)
    this.#candidates.set(index,
      this.#missing.has(index) && this.#wanted[index] === 1 && this.#available[index] === 0 &&
      !this.#claims.has(index) && !this.#running.has(index) && !isHeldBack)
  }
}
