/**
 * Who claims pieces, and how far each is believed: credit for a few claims until it delivers, none for a while after it
 * let claims lapse (docs/scheduling.md, "Whom to believe"). Pure. Called by claim-table.ts.
 */
import { MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { Claim } from './claim.ts'

/** Claims respected of a peer that has not delivered a piece yet: the slots of a common machine. */
const NEWCOMER_CLAIMS = 8
/** More for each piece it delivered, up to what the protocol allows. */
const CLAIMS_PER_DELIVERY = 2
/** A peer that passed on this many claims that lapsed, and delivered nothing in between, is not listened to. */
const MAX_RELAYED_LAPSES = 16
/** A peer that let this many claims lapse, and delivered nothing in between, is not respected for a while. */
const MAX_LAPSES = 2
const DISREGARD_MS = 600_000
/** Peers remembered: their ids cost nothing to make up. */
const MAX_CLAIMANTS = 10_000

/** A claim in the table. */
export interface Entry extends Claim {
  readonly claimant: Claimant
  startedAt: number
  estimateMs: number
  isProven: boolean
  leaseUntil: number
  isRespected: boolean
  /** who said so: connections, of the claimant's own or of peers that relayed it */
  readonly sources: ClaimSource[]
}

/** Where claims come from: what one connection says of its peer, or what it relays. */
export class ClaimSource {
  /** @internal the claims it vouches for */
  readonly entries = new Set<Entry>()
  /** claims it may bring at a time: words cost a liar nothing */
  readonly limit: number
  /** the claimant itself, or a peer that relays */
  readonly kind: 'own' | 'relay'
  /** the peer at the other end has delivered a piece: its word counts for more */
  isCredible = false
  /** @internal claims it vouched for that lapsed since it last delivered */
  lapses = 0

  constructor ({ limit, kind = 'own' }: { limit: number, kind?: ClaimSource['kind'] }) {
    this.limit = limit
    this.kind = kind
  }

  /**
   * What it says counts. A peer can invent as many neighbours as it likes: until it delivers, all of them together have
   * the credit of one newcomer.
   */
  get isHeard (): boolean {
    if (this.kind === 'own') return true
    return this.lapses < MAX_RELAYED_LAPSES && (this.isCredible || this.entries.size <= NEWCOMER_CLAIMS)
  }

  /** The peer at the other end delivered a piece that matched its digest. */
  delivered (): void {
    this.isCredible = true
    this.lapses = 0
  }
}

/** What is known of a peer, by what it claimed and delivered. */
export class Claimant {
  readonly id: string
  readonly claims = new Map<number, Entry>()
  /** of its claims */
  respected = 0
  #delivered = 0
  #lapses = 0
  #disregardedUntil = -Infinity

  /** @param id hex */
  constructor (id: string) {
    this.id = id
  }

  /** It has delivered a piece to us. */
  get isProven (): boolean { return this.#delivered > 0 }

  /** One more of its claims may be respected. */
  hasCredit (now: number): boolean {
    return (
      this.#disregardedUntil <= now &&
      this.respected < Math.min(MAX_CLAIMS, NEWCOMER_CLAIMS + CLAIMS_PER_DELIVERY * this.#delivered)
    )
  }

  /** It delivered a piece that matched its digest. */
  delivered (): void {
    this.#delivered++
    this.#lapses = 0
    this.#disregardedUntil = -Infinity
    for (const entry of this.claims.values()) entry.isProven = true
  }

  /** It let a claim lapse. True when that was once too often: nothing it says counts for a while. */
  blame (now: number): boolean {
    if (++this.#lapses < MAX_LAPSES) return false
    this.#disregardedUntil = now + DISREGARD_MS
    return true
  }
}

/** All that claimed or delivered, as many as are remembered. */
export class Claimants {
  readonly #all = new Map<string, Claimant>()
  /** those of them that claim nothing now: the others are bounded by what their sources may bring */
  readonly #idle = new Set<Claimant>()

  /** One that is known. @param id hex */
  find (id: string): Claimant | undefined { return this.#all.get(id) }

  /** One that is known from now on. */
  get (id: string): Claimant {
    const known = this.#all.get(id)
    if (known !== undefined) return known
    const claimant = new Claimant(id)
    if (this.#all.size >= MAX_CLAIMANTS) this.#forgetOne()
    this.#all.set(id, claimant)
    this.#idle.add(claimant)
    return claimant
  }

  /** Its claims have changed. */
  changed (claimant: Claimant): void {
    if (claimant.claims.size === 0) this.#idle.add(claimant)
    else this.#idle.delete(claimant)
  }

  #forgetOne (): void {
    for (const claimant of this.#idle) {
      this.#idle.delete(claimant)
      this.#all.delete(claimant.id)
      return
    }
  }
}
