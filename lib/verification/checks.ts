/**
 * The checks of one task: which results of others are computed here as well, and how many. Lots are drawn at random and
 * in secret; hints come from contradictions. Random numbers are handed in. Pure. Called by verification.ts.
 *
 * A check is *queued* until it is within the share, then *open* (the host was asked to compute it) until the piece is
 * computed, or settled by others.
 */
import { SMALL_TASK } from './second-looks.ts'
import { atMost } from './statistics.ts'
import type { LotStats } from './types.ts'

/** Of the items computed here, so many are checks: at least, and at most. */
const MIN_SHARE = 0.1
const MAX_SHARE = 0.5
/** The share if there are few pieces for each key, so that there is little to build a record on: × keys / pieces. */
const SHARE_PER_KEY = 2
/** The share if there are few keys, so that one that lies spoils a large part of the pieces: / keys. */
const SHARE_OF_FEW = 2
/** The same if members take part, who find it out first. */
const SHARE_OF_FEW_WITH_MEMBERS = 0.75
/**
 * The share in a small task: / keys. Second looks (second-looks.ts) find who lies alone; these lots find those who lie
 * together. With members, less.
 */
const SHARE_OF_SMALL = 2.5
const SHARE_OF_SMALL_WITH_MEMBERS = 1
/** Of what members attest, so many lots: they find broken machines. */
const MEMBER_SHARE = 0.01
/** Peers that look at a contradiction, on average. */
const LOOKS_PER_HINT = 3
/** Lots and hints together that wait: more can never be within the share of a task that ends. */
const MAX_QUEUED = 4_096

/**
 * Why a piece is checked. Four kinds of lots: of all results, of those of members, of a key's first result, and of a
 * key that no trusted key has checked. The last two are not evenly drawn, so they are not part of the estimate.
 */
export type CheckKind = 'lot' | 'member' | 'first' | 'vet' | 'hint' | 'sample'

/** As the reader is told. */
export function reasonOf (kind: CheckKind): 'lot' | 'hint' | 'sample' {
  return kind === 'hint' || kind === 'sample' ? kind : 'lot'
}

/** What the checks ask of their owner. */
export interface ChecksHost {
  /** 0 to 2 */
  level (): number
  /** peer keys with an accepted result */
  keys (): number
  /** anybody is a member of a trusted key */
  hasMembers (): boolean
  /** members, ourselves included; 0: we are none */
  membersWithUs (): number
  /** for a member: a piece of a key that no trusted key has checked */
  vet (): number | undefined
  /** a check of the piece still teaches something */
  isUseful (index: number, kind: CheckKind): boolean
  random (): number
  ask (index: number, kind: CheckKind): void
}

interface Check { readonly index: number, readonly kind: CheckKind }

/** What is kept on disk. */
export interface SavedChecks { items: number, checked: number, seconds: number, drawn: number, wrong: number }

/** The checks of one task. */
export class Checks {
  readonly #pieceCount: number
  readonly #host: ChecksHost
  /** the result of each piece that has been in the lottery */
  readonly #entered: Uint8Array
  /** results of others that have been in the lottery */
  #others = 0
  readonly #hints: number[] = []
  readonly #lots: Check[] = []
  /** contradictions of a piece that were looked at, or not, by chance: 1 any, 2 one by a key with a record */
  readonly #hinted = new Map<number, 1 | 2>()
  readonly #open = new Map<number, CheckKind>()
  #openCapped = 0
  /** items that gave a result; of these, checks by lot or hint, and second opinions */
  #items = 0
  #checked = 0
  #seconds = 0
  #drawn = 0
  #wrong = 0

  constructor (pieceCount: number, host: ChecksHost) {
    this.#pieceCount = pieceCount
    this.#host = host
    this.#entered = new Uint8Array(pieceCount)
  }

  /** The share of the items that are checks by lot or hint. A member first looks at what others doubt. */
  get share (): number {
    if (this.#host.membersWithUs() > 0) return 1
    return Math.min(MAX_SHARE, this.#baseShare() * (1 + this.#host.level()))
  }

  /** number of items that gave a result */
  get items (): number { return this.#items }

  get openCount (): number { return this.#open.size }

  /** Whether the piece is to be computed, and why. */
  openKind (index: number): CheckKind | undefined { return this.#open.get(index) }

  /** A sample asks for the piece: without a cap. */
  require (index: number): void {
    this.#close(index)
    this.#open.set(index, 'sample')
    this.#host.ask(index, 'sample')
  }

  /**
   * A result of others is accepted from now on: it enters the lottery, once.
   *
   * @param isMembers a member attests it
   * @param isFirst it is the first result of its key
   */
  enter (index: number, variant: number, isMembers: boolean, isFirst: boolean): void {
    if (this.#entered[index] === variant) return
    if (this.#entered[index] === 0) this.#others++
    this.#entered[index] = variant
    const share = isMembers ? MEMBER_SHARE : Math.min(MAX_SHARE, this.#baseShare() * (1 + this.#host.level()))
    const keys = Math.max(1, this.#host.keys())
    // what we computed, or would compute if others left us our part: a liar may announce everything at once
    const ratio = Math.min(1, Math.max((this.#items + 1) / (this.#others + 1), 1 / keys))
    const chance = share * ratio
    if (this.#host.random() < chance) return this.#draw(index, isMembers ? 'member' : 'lot')
    if (isMembers || !isFirst) return
    if (this.#host.random() < Math.min(1, share * this.#pieceCount / keys) / keys) this.#draw(index, 'first')
  }

  /** Somebody contradicts a result of the piece: a reason to look, for some of all peers. */
  hint (index: number, hasRecord: boolean): void {
    const before = this.#hinted.get(index) ?? 0
    if (before > 0 && !(hasRecord && before < 2)) return
    this.#hinted.set(index, hasRecord ? 2 : 1)
    const members = this.#host.membersWithUs()
    // neither of the two can look
    const chance = Math.max(LOOKS_PER_HINT / Math.max(1, this.#host.keys() - 2), members > 0 ? 1 / members : 0)
    if (this.#hints.length >= MAX_QUEUED || this.#host.random() >= chance) return
    if (hasRecord) this.#hints.unshift(index)
    else this.#hints.push(index)
  }

  /**
   * An item gave a result.
   *
   * @param wasWrong the result that was accepted before was wrong; null: nobody can tell
   */
  computed (index: number, isSecond: boolean, wasWrong: boolean | null): void {
    const kind = this.#close(index)
    this.#items++
    if (kind !== undefined && kind !== 'sample') this.#checked++
    else if (kind === undefined && isSecond) this.#seconds++
    if ((kind !== 'lot' && kind !== 'member') || wasWrong === null) return
    this.#drawn++
    if (wasWrong) this.#wrong++
  }

  /** The piece is settled without us. Returns whether a check was open. */
  drop (index: number): boolean { return this.#close(index) !== undefined }

  /** Asks for the checks that are within the share now. */
  release (): void {
    for (let next = this.#isDue() ? this.#next() : null; next !== null; next = this.#isDue() ? this.#next() : null) {
      this.#open.set(next.index, next.kind)
      this.#openCapped++
      this.#host.ask(next.index, next.kind)
    }
  }

  stats (): LotStats {
    let open = 0
    for (const kind of this.#open.values()) if (kind === 'lot' || kind === 'member') open++
    return { drawn: this.#drawn, wrong: this.#wrong, open, atMost: atMost(this.#wrong, this.#drawn) }
  }

  save (): SavedChecks {
    return {
      items: this.#items, checked: this.#checked, seconds: this.#seconds, drawn: this.#drawn, wrong: this.#wrong
    }
  }

  /** Lots that were open are drawn again, as the results are heard again. */
  restore ({ items, checked, seconds, drawn, wrong }: SavedChecks): void {
    this.#items = items
    this.#checked = Math.min(items, checked)
    this.#seconds = Math.min(items, seconds)
    this.#drawn = drawn
    this.#wrong = Math.min(drawn, wrong)
  }

  #baseShare (): number {
    const keys = Math.max(1, this.#host.keys())
    const leavesIt = this.#host.hasMembers() && this.#host.membersWithUs() === 0
    if (this.#pieceCount <= SMALL_TASK) {
      const ofSmall = this.#host.hasMembers() ? SHARE_OF_SMALL_WITH_MEMBERS : SHARE_OF_SMALL
      return Math.min(MAX_SHARE, Math.max(MIN_SHARE, ofSmall / keys))
    }
    const ofFew = leavesIt ? SHARE_OF_FEW_WITH_MEMBERS : SHARE_OF_FEW
    return Math.min(MAX_SHARE, Math.max(MIN_SHARE, SHARE_PER_KEY * keys / this.#pieceCount, ofFew / keys))
  }

  #draw (index: number, kind: CheckKind): void {
    if (this.#lots.length < MAX_QUEUED) this.#lots.push({ index, kind })
  }

  /** Second opinions are no reason for more checks: they teach as much. */
  #isDue (): boolean {
    return this.#checked + this.#openCapped < this.share * (this.#items - this.#seconds + 1) + 0.5
  }

  /** A member looks at an unchecked key every other time, and whenever there is nothing else. */
  #next (): Check | null {
    const isMember = this.#host.membersWithUs() > 0
    const vetted = isMember && (this.#items + this.#openCapped) % 2 === 0 ? this.#host.vet() : undefined
    if (vetted !== undefined) return { index: vetted, kind: 'vet' }
    for (let index = this.#hints.shift(); index !== undefined; index = this.#hints.shift()) {
      if (this.#mayOpen({ index, kind: 'hint' })) return { index, kind: 'hint' }
    }
    for (let lot = this.#lots.pop(); lot !== undefined; lot = this.#lots.pop()) if (this.#mayOpen(lot)) return lot
    const other = isMember ? this.#host.vet() : undefined
    return other === undefined ? null : { index: other, kind: 'vet' }
  }

  #mayOpen ({ index, kind }: Check): boolean { return !this.#open.has(index) && this.#host.isUseful(index, kind) }

  #close (index: number): CheckKind | undefined {
    const kind = this.#open.get(index)
    if (kind === undefined) return undefined
    if (kind !== 'sample') this.#openCapped--
    this.#open.delete(index)
    return kind
  }
}
