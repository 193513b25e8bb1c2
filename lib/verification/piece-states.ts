/**
 * What is known of each piece here: what was computed, verified, stored and is accepted, as numbers of results
 * (statements.ts; 0: none), and the state that follows; with counts. Pure. Called by verification.ts.
 */
import type { Belief } from './belief.ts'
import type { PieceState } from './types.ts'

const STATES = [
  'missing', 'own', 'verified', 'trusted', 'confirmed', 'attested', 'doubtful', 'unattested'
] as const satisfies readonly PieceState[]

/** Five bytes for each piece. */
export class PieceStates {
  /** the result that was computed here */
  readonly own: Uint8Array
  /** the result that the verify command found right */
  readonly verified: Uint8Array
  readonly stored: Uint8Array
  /** the result that was accepted when the piece was last looked at */
  readonly believed: Uint8Array
  readonly #states: Uint8Array
  readonly #counts: number[]

  constructor (pieceCount: number) {
    this.own = new Uint8Array(pieceCount)
    this.verified = new Uint8Array(pieceCount)
    this.stored = new Uint8Array(pieceCount)
    this.believed = new Uint8Array(pieceCount)
    this.#states = new Uint8Array(pieceCount)
    this.#counts = STATES.map((_, state) => state === 0 ? pieceCount : 0)
  }

  stateOf (index: number): PieceState { return STATES[this.#states[index] ?? 0]! }

  /** Computed or verified here: that is certain, whatever anybody attests. */
  isOwn (index: number): boolean { return this.own[index] !== 0 || this.verified[index] !== 0 }

  /** Whether the result with this number is computed, verified, stored or accepted here. */
  uses (index: number, variant: number): boolean {
    return [this.own, this.verified, this.stored, this.believed].some(numbers => numbers[index] === variant)
  }

  /** How many pieces are in each state. */
  counts (): Record<PieceState, number> {
    return Object.fromEntries(STATES.map((state, at) => [state, this.#counts[at]!])) as Record<PieceState, number>
  }

  /** Records what is accepted of a piece now. Returns whether that has changed: another result, or none any more. */
  set (index: number, belief: Belief, hasVoices: boolean, isOff: boolean): boolean {
    const state = STATES.indexOf(this.#stateFor(index, belief, hasVoices, isOff))
    const before = this.#states[index]!
    this.#counts[before]!--
    this.#counts[state]!++
    this.#states[index] = state
    const isChanged = this.believed[index] !== belief.variant
    this.believed[index] = belief.variant
    return isChanged
  }

  #stateFor (index: number, { variant, by }: Belief, hasVoices: boolean, isOff: boolean): PieceState {
    const stored = this.stored[index]!
    if (stored === 0) return 'missing'
    if (by !== null && stored === variant) return by
    return hasVoices && !isOff ? 'doubtful' : 'unattested'
  }
}
