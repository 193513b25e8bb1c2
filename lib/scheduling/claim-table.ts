/**
 * The claims of other peers, and whether they are believed. Pure: the clock is an argument.
 *
 * A claim prevents its piece from being computed here only while it is *respected*. Claims cost nothing, and a peer
 * that claims everything and delivers nothing must not stop a task. Therefore a peer has credit for a few claims until
 * it delivers, a claim lapses when it takes far longer than a piece should, and a peer that lets claims lapse is
 * ignored for a while (docs/scheduling.md, "Whom to believe"). Called by scheduler.ts.
 */
import { overrun } from './claim.ts'
import type { Claim, HeardClaim } from './claim.ts'
import { Claimants } from './claimants.ts'
import type { Claimant, ClaimSource, Entry } from './claimants.ts'
import type { Timing } from './timing.ts'

/** A claim lapses after this many times the duration of a piece, within these bounds. */
const LEASE_PIECES = 3
const MIN_LEASE_MS = 2_000
const MAX_LEASE_MS = 3_600_000
/** The lease while the duration of a piece is unknown. */
const UNKNOWN_LEASE_MS = 90_000
/** An estimate counts up to this many times our own pace: slow machines are welcome, endless promises are not. */
const MAX_SLOWNESS = 10

/** Number of others' estimates that replace our own pace while we have none. */
const FOREIGN_ESTIMATES = 16

/** All claims of other peers for the pieces of one task. */
export class ClaimTable {
  readonly #timing: Timing
  readonly #changed: (index: number) => void
  readonly #claimants = new Claimants()
  readonly #pieces = new Map<number, Entry[]>()
  /** lower bound for the end of all leases */
  #expireAt = Infinity

  /** @param changed called when a piece may have gained its first respected claim, or lost its last one */
  constructor (timing: Timing, changed: (index: number) => void) {
    this.#timing = timing
    this.#changed = changed
  }

  /** The number of claimed pieces, whether or not the claims are respected. */
  get size (): number { return this.#pieces.size }

  /** The pieces that have respected claims, with these claims. */
  * [Symbol.iterator] (): Generator<[index: number, claims: Claim[]]> {
    for (const [index, entries] of this.#pieces) {
      const respected = entries.filter(({ isRespected }) => isRespected)
      if (respected.length > 0) yield [index, respected]
    }
  }

  /** True if another peer is credibly computing the piece. */
  isClaimed (index: number): boolean {
    for (const { isRespected } of this.#pieces.get(index) ?? []) if (isRespected) return true
    return false
  }

  /** The respected claims for the piece, with the peer ids (hex) of the claimants. */
  * of (index: number): Generator<[peerId: string, claim: Claim]> {
    for (const entry of this.#pieces.get(index) ?? []) if (entry.isRespected) yield [entry.claimant.id, entry]
  }

  /** The peer's claim for the piece. */
  get (peerId: string, index: number): Claim | undefined { return this.#claimants.find(peerId)?.claims.get(index) }

  /** True if the peer's claim for the piece is respected. */
  isRespected (peerId: string, index: number): boolean {
    return this.#claimants.find(peerId)?.claims.get(index)?.isRespected === true
  }

  /**
   * Adds or renews a claim.
   * @param source the connection that it came from
   * @param peerId the claimant (hex)
   */
  add (source: ClaimSource, peerId: string, heard: HeardClaim): void {
    const claimant = this.#claimants.get(peerId)
    const known = claimant.claims.get(heard.index)
    if (known?.sources.includes(source) !== true && source.entries.size >= source.limit) return
    const entry = known ?? this.#create(claimant, heard)
    if (!entry.sources.includes(source)) entry.sources.push(source)
    source.entries.add(entry)
    entry.estimateMs = heard.estimateMs
    entry.leaseUntil = Math.max(entry.leaseUntil, this.#leaseOf(entry))
    if (entry.isRespected || this.#timing.now() >= entry.leaseUntil) return
    if (source.isHeard && claimant.hasCredit(this.#timing.now())) this.#respect(entry)
  }

  /** The source says that the claim has ended. */
  remove (source: ClaimSource, peerId: string, index: number): void {
    if (source.entries.size === 0) return // the usual case: most sources have no claims
    const entry = this.#claimants.find(peerId)?.claims.get(index)
    if (entry !== undefined) this.#unsay(source, entry)
  }

  /** The source has results of these pieces, which ends its claims. There are usually many pieces and few claims. */
  fulfil (source: ClaimSource, indices: readonly number[]): void {
    for (const entry of source.entries) {
      if (!indices.includes(entry.index)) continue
      if (entry.isRespected && entry.isProven && entry.estimateMs > 0) {
        this.#timing.lateness.add(overrun(entry, this.#timing.now()) ?? 0)
      }
      this.#unsay(source, entry)
    }
  }

  /**
   * The claimant itself ended the claim without a result. Doing so late, over and over, is as bad as letting claims
   * lapse.
   */
  abandon (source: ClaimSource, peerId: string, index: number): void {
    const entry = this.#claimants.find(peerId)?.claims.get(index)
    if (entry === undefined) return
    const { claimant, heardAt } = entry
    const pace = this.#timing.paceMs
    this.#unsay(source, entry)
    if (pace === 0 || claimant.isProven) return
    if (this.#timing.now() - heardAt > Math.max(MIN_LEASE_MS, pace) / 2) this.#blame(claimant)
  }

  /** The connection is closed. */
  removeSource (source: ClaimSource): void {
    for (const entry of source.entries) this.#unsay(source, entry)
  }

  /** The peer delivered a piece that matched its digest. `sources` are its connections. */
  delivered (peerId: string, sources: readonly ClaimSource[]): void {
    for (const source of sources) source.delivered()
    this.#claimants.get(peerId).delivered()
  }

  /**
   * The peer is banned, or its key excluded: its claims are not respected, whoever relays them, until it delivers (a
   * peer id is easily borrowed, and whoever is banned cannot deliver).
   */
  ban (peerId: string): void {
    const claimant = this.#claimants.get(peerId)
    claimant.ban()
    for (const entry of claimant.claims.values()) this.#disrespect(entry)
  }

  /** The duration of a piece, milliseconds: here, or else according to the claimants; 0: unknown. */
  get paceMs (): number { return this.#timing.paceMs > 0 ? this.#timing.paceMs : this.#foreignPaceMs }

  get #foreignPaceMs (): number {
    const estimates: number[] = []
    for (const [, claims] of this) {
      for (const { estimateMs } of claims) if (estimateMs > 0) estimates.push(estimateMs)
      if (estimates.length >= FOREIGN_ESTIMATES) break
    }
    return estimates.toSorted((a, b) => a - b)[estimates.length >> 1] ?? 0
  }

  /** The earliest time at which a lease may end, or Infinity. */
  get expireAt (): number { return this.#expireAt }

  /** Stops respecting claims whose lease is over. Cheap if there are none. */
  expire (): void {
    if (this.#timing.now() < this.#expireAt) return
    this.#review()
  }

  /** The duration of a piece has become known: leases that began before may be shorter. */
  review (): void {
    for (const entries of this.#pieces.values()) {
      for (const entry of entries) entry.leaseUntil = Math.min(entry.leaseUntil, this.#leaseOf(entry))
    }
    this.#review()
  }

  #review (): void {
    const now = this.#timing.now()
    this.#expireAt = Infinity
    for (const entries of this.#pieces.values()) {
      for (const entry of entries) {
        // the estimate, or our pace, may have changed
        if (entry.isRespected && entry.leaseUntil <= now) entry.leaseUntil = this.#leaseOf(entry)
        if (entry.isRespected && entry.leaseUntil <= now) this.#lapse(entry)
        else if (entry.isRespected) this.#expireAt = Math.min(this.#expireAt, entry.leaseUntil)
      }
    }
  }

  #lapse (entry: Entry): void {
    this.#disrespect(entry)
    for (const source of entry.sources) source.lapses++
    // a peer that we know only by relays cannot deliver to us to restore its credit: the relaying peer is held
    // responsible
    if (entry.sources.some(({ kind }) => kind !== 'relay')) this.#blame(entry.claimant)
  }

  #blame (claimant: Claimant): void {
    if (!claimant.blame(this.#timing.now())) return
    for (const other of claimant.claims.values()) this.#disrespect(other)
  }

  #leaseOf ({ heardAt, estimateMs, sources }: Entry): number {
    const pace = this.#timing.paceMs
    const estimate = !areCredible(sources) ? 0 : pace === 0 ? estimateMs : Math.min(estimateMs, MAX_SLOWNESS * pace)
    const pieceMs = Math.max(pace, estimate)
    if (pieceMs === 0) return heardAt + UNKNOWN_LEASE_MS
    return heardAt + Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, LEASE_PIECES * pieceMs))
  }

  #create (claimant: Claimant, { index, elapsedMs, estimateMs, isBackup }: HeardClaim): Entry {
    const now = this.#timing.now()
    const entry: Entry = {
      index,
      isBackup,
      claimant,
      startedAt: now - elapsedMs,
      heardAt: now,
      estimateMs,
      isProven: claimant.isProven,
      leaseUntil: 0,
      isRespected: false,
      sources: []
    }
    claimant.claims.set(index, entry)
    this.#claimants.changed(claimant)
    const entries = this.#pieces.get(index)
    if (entries === undefined) this.#pieces.set(index, [entry])
    else entries.push(entry)
    return entry
  }

  #respect (entry: Entry): void {
    entry.isRespected = true
    entry.claimant.respected++
    this.#expireAt = Math.min(this.#expireAt, entry.leaseUntil)
    this.#changed(entry.index)
  }

  #disrespect (entry: Entry): void {
    if (!entry.isRespected) return
    entry.isRespected = false
    entry.claimant.respected--
    this.#changed(entry.index)
  }

  #unsay (source: ClaimSource, entry: Entry): void {
    source.entries.delete(entry)
    if (removed(entry.sources, source) && entry.sources.length === 0) this.#remove(entry)
  }

  #remove (entry: Entry): void {
    const entries = this.#pieces.get(entry.index)
    if (entries !== undefined && removed(entries, entry) && entries.length === 0) this.#pieces.delete(entry.index)
    entry.claimant.claims.delete(entry.index)
    this.#claimants.changed(entry.claimant)
    this.#disrespect(entry)
  }
}

/** Removes an item from a short list; false if it is not in the list. */
function removed<T> (list: T[], item: T): boolean {
  const at = list.indexOf(item)
  if (at !== -1) list.splice(at, 1)
  return at !== -1
}

/** An estimate counts as a stranger's if its claimant, and the peers that relayed it, have never delivered. */
function areCredible (sources: Iterable<ClaimSource>): boolean {
  for (const { isCredible } of sources) if (isCredible) return true
  return false
}
