/**
 * The reader's own sample (`audit` with an error): how much of what others computed is wrong? A secret random order of
 * all pieces; the first ones in it that others computed are computed here as well, as soon as somebody has attested
 * them (never before: else nobody else would compute them). Nobody can influence the answer. Pure; memory: 5 bytes for
 * each piece. Called by verification.ts.
 */
import { atMost, sampleSize } from './statistics.ts'
import type { SampleStats } from './types.ts'

/** Samples that are drawn, at most: after each one in which something was wrong, a fresh one. */
const MAX_ROUNDS = 3
/** The chance of being satisfied although more is wrong than the error, in all rounds together. */
const MISS = 0.05

/** A piece: nobody has attested it, it is not of others, it is to be checked, it was checked. */
const [UNKNOWN, SKIPPED, ATTESTED, RIGHT, WRONG] = [0, 1, 2, 3, 4] as const

/** What is kept on disk. */
export interface SavedSample {
  round: number
  checked: number
  wrong: number
  state: SampleStats['state']
}

/** The sample of one task. */
export class Sample {
  readonly #order: Uint32Array
  /** the place of each piece in the order */
  readonly #place: Uint32Array
  readonly #pieces: Uint8Array
  readonly #size: number
  readonly #ask: (index: number) => void
  /** the places of this round */
  #start = 0
  #end = 0
  /** of these: pieces that count, and such that are not checked yet */
  #counted = 0
  #pending = 0
  #wrongNow = 0
  #round = 1
  #state: SampleStats['state'] = 'open'
  /** of the rounds before */
  #checkedBefore = 0
  #wrongBefore = 0

  /**
   * @param error less than this share may be wrong
   * @param ask called with each piece that is to be computed; it stays asked for until it is `settled`
   */
  constructor (pieceCount: number, error: number, random: () => number, ask: (index: number) => void) {
    this.#order = Uint32Array.from({ length: pieceCount }, (_, index) => index)
    this.#place = new Uint32Array(pieceCount)
    this.#pieces = new Uint8Array(pieceCount)
    this.#size = sampleSize(pieceCount, error, MISS / MAX_ROUNDS)
    this.#ask = ask
    shuffle(this.#order, random)
    for (const [place, index] of this.#order.entries()) this.#place[index] = place
    this.#fill()
  }

  get isOpen (): boolean { return this.#state === 'open' }

  stats (): SampleStats {
    const checked = this.#counted - this.#pending
    const [all, wrong] = [this.#checkedBefore + checked, this.#wrongBefore + this.#wrongNow]
    return {
      round: this.#round,
      size: this.#counted,
      checked,
      wrong: this.#wrongNow,
      state: this.#state,
      atMost: atMost(wrong, all)
    }
  }

  /** A stranger has attested a result of the piece, and it is accepted. */
  attested (index: number): void {
    if (this.#pieces[index] !== UNKNOWN) return
    this.#pieces[index] = ATTESTED
    if (this.#isInRound(index)) this.#ask(index)
  }

  /**
   * An own or trusted computation has settled the piece.
   *
   * @param isRight whether the result that was accepted before was right; null: none was
   */
  settled (index: number, isRight: boolean | null): void {
    const before = this.#pieces[index]!
    if (before !== UNKNOWN && before !== ATTESTED) return
    const isCounted = before === ATTESTED && isRight !== null
    this.#pieces[index] = isCounted ? (isRight ? RIGHT : WRONG) : SKIPPED
    if (!this.isOpen || !this.#isInRound(index)) return
    this.#pending--
    if (!isCounted) this.#counted--
    else if (!isRight) this.#wrongNow++
    this.#fill()
  }

  save (): SavedSample {
    const { round, checked, wrong, state } = this.stats()
    return { round, checked: this.#checkedBefore + checked, wrong: this.#wrongBefore + wrong, state }
  }

  /** What was checked before the restart still counts for the estimate; a round that was open begins anew. */
  restore ({ round, checked, wrong, state }: SavedSample): void {
    this.#round = Math.min(round, MAX_ROUNDS)
    this.#checkedBefore = checked
    this.#wrongBefore = wrong
    this.#state = state
  }

  #isInRound (index: number): boolean {
    const place = this.#place[index]!
    return place >= this.#start && place < this.#end
  }

  /** Takes further pieces into the round while some are left and it has too few; ends it when all are checked. */
  #fill (): void {
    while (this.isOpen) {
      while (this.#counted < this.#size && this.#end < this.#order.length) this.#take(this.#order[this.#end++]!)
      if (this.#pending > 0) return
      this.#endRound()
    }
  }

  #take (index: number): void {
    const piece = this.#pieces[index]!
    if (piece === SKIPPED) return
    this.#counted++
    // what was checked before this round has been corrected
    if (piece === RIGHT || piece === WRONG) return
    this.#pending++
    if (piece === ATTESTED) this.#ask(index)
  }

  #endRound (): void {
    const isAllChecked = this.#end === this.#order.length
    if (this.#wrongNow === 0 || isAllChecked) this.#state = 'satisfied'
    else if (this.#round === MAX_ROUNDS) this.#state = 'failed'
    if (!this.isOpen) return
    this.#round++
    this.#checkedBefore += this.#counted
    this.#wrongBefore += this.#wrongNow
    this.#start = this.#end
    this.#counted = 0
    this.#wrongNow = 0
  }
}

/** Fisher and Yates. */
function shuffle (items: Uint32Array, random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const item = items[i]!
    items[i] = items[j]!
    items[j] = item
  }
}
