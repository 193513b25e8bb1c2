/**
 * The peers that claim pieces, and their credit: a few claims until they deliver, none for a while after they let
 * claims lapse (docs/scheduling.md, "Whom to believe"). Pure. Called by claim-table.ts.
 */
import { MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { Claim } from './claim.ts'

/** Claims that are respected of a peer that has not delivered a piece yet: the slots of a common machine. */
const NEWCOMER_CLAIMS = 8
/** Additional claims for each piece that it delivered, up to the protocol's limit. */
const CLAIMS_PER_DELIVERY = 2
/** A peer that relayed this many claims that lapsed, without delivering anything in between, is ignored. */
const MAX_RELAYED_LAPSES = 16
/** A peer that let this many claims lapse, without delivering anything in between, is not respected for a while. */
const MAX_LAPSES = 2
const DISREGARD_MS = 600_000
/** Number of peers that are remembered: peer ids cost nothing to invent. */
const MAX_CLAIMANTS = 10_000

/** A claim in the table. */
export interface Entry extends Claim {
  readonly claimant: Claimant
  startedAt: number
  estimateMs: number
  isProven: boolean
  leaseUntil: number
  isRespected: boolean
  /** the connections that reported it: the claimant's own, or those of relaying peers */
  readonly sources: ClaimSource[]
}

/** A source of claims: one connection, either for its peer's own claims or for those that it relays. */
export class ClaimSource {
  /** @internal the claims that it reported and that have not ended */
  readonly entries = new Set<Entry>()
  /** claims that it may report at a time, because they cost a liar nothing */
  readonly limit: number
  /** the claimant itself, or a peer that relays */
  readonly kind: 'own' | 'relay'
  /** the peer of the connection has delivered a piece, so it is believed more */
  isCredible = false
  /** @internal number of its claims that lapsed since it last delivered */
  lapses = 0

  constructor ({ limit, kind = 'own' }: { limit: number, kind?: ClaimSource['kind'] }) {
    this.limit = limit
    this.kind = kind
  }

  /**
   * Whether its claims count. A peer can invent any number of neighbours; until it delivers, all of them together have
   * the credit of one newcomer.
   */
  get isHeard (): boolean {
    if (this.kind === 'own') return true
    return this.lapses < MAX_RELAYED_LAPSES && (this.isCredible || this.entries.size <= NEWCOMER_CLAIMS)
  }

  /** The peer of the connection delivered a piece that matched its digest. */
  delivered (): void {
    this.isCredible = true
    this.lapses = 0
  }
}

/** The record of a peer: its claims and deliveries. */
export class Claimant {
  readonly id: string
  readonly claims = new Map<number, Entry>()
  /** number of its claims that are respected */
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

  /** Whether one more of its claims may be respected. */
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

  /** It broke a rule, and is banned: its claims do not count until it delivers. */
  ban (): void { this.#disregardedUntil = Infinity }

  /** It let a claim lapse. Returns true if that was once too often: its claims do not count for a while. */
  blame (now: number): boolean {
    if (++this.#lapses < MAX_LAPSES) return false
    this.#disregardedUntil = Math.max(this.#disregardedUntil, now + DISREGARD_MS)
    return true
  }
}

/** All peers that claimed or delivered, up to a limit. */
export class Claimants {
  readonly #all = new Map<string, Claimant>()
  /** those without claims; the number of the others is bounded by the limits of their sources */
  readonly #idle = new Set<Claimant>()

  /** Returns a known claimant. @param id hex */
  find (id: string): Claimant | undefined { return this.#all.get(id) }

  /** Returns a claimant, and remembers it. */
  get (id: string): Claimant {
    const known = this.#all.get(id)
    if (known !== undefined) return known
    const claimant = new Claimant(id)
    if (this.#all.size >= MAX_CLAIMANTS) this.#forgetOne()
    this.#all.set(id, claimant)
    this.#idle.add(claimant)
    return claimant
  }

  /** The claimant's claims have changed. */
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
