/**
 * What other peers say they are computing, and how far it is believed. Pure: the clock is handed in.
 *
 * A claim keeps its piece from being computed here only while it is *respected*: claims are free, and a peer that
 * claims everything and delivers nothing must not stop a task. So a peer has credit for a few claims until it delivers,
 * a claim lapses when the piece takes far longer than pieces take, and whoever lets claims lapse is not listened to for
 * a while (docs/scheduling.md, "Whom to believe"). Called by scheduler.ts.
 */
import { overrun } from './claim.ts'
import type { Claim, HeardClaim } from './claim.ts'
import { Claimants } from './claimants.ts'
import type { Claimant, ClaimSource, Entry } from './claimants.ts'

/** A claim lapses after this many times what a piece takes, within these bounds. */
const LEASE_PIECES = 3
const MIN_LEASE_MS = 2_000
const MAX_LEASE_MS = 3_600_000
/** The lease while nobody knows what a piece takes. */
const UNKNOWN_LEASE_MS = 90_000
/** An estimate counts up to this many times our own pace: slow machines are welcome, endless promises are not. */
const MAX_SLOWNESS = 10

/** Estimates of others that stand in for our own pace while we have none. */
const FOREIGN_ESTIMATES = 16

/** What the table needs from its surroundings. */
export interface ClaimHost {
  /** milliseconds on any steady clock */
  now (): number
  /** what a piece takes on average, milliseconds; 0: unknown */
  pace (): number
  /** a piece was done so many milliseconds after it should have been */
  took (lateMs: number): void
  /** whether the piece's claims are respected may have changed */
  changed (index: number): void
}

/** All claims of other peers for the pieces of one task. */
export class ClaimTable {
  readonly #host: ClaimHost
  readonly #claimants = new Claimants()
  readonly #pieces = new Map<number, Entry[]>()
  /** no lease ends before */
  #expireAt = Infinity

  constructor (host: ClaimHost) {
    this.#host = host
  }

  /** Pieces that are claimed, respected or not. */
  get size (): number { return this.#pieces.size }

  /** Pieces with respected claims, and these. */
  * [Symbol.iterator] (): Generator<[index: number, claims: Claim[]]> {
    for (const [index, entries] of this.#pieces) {
      const respected = entries.filter(({ isRespected }) => isRespected)
      if (respected.length > 0) yield [index, respected]
    }
  }

  /** Somebody else is at work on the piece, as far as that is believed. */
  isClaimed (index: number): boolean {
    for (const { isRespected } of this.#pieces.get(index) ?? []) if (isRespected) return true
    return false
  }

  /** The peer's claim for the piece. */
  get (peerId: string, index: number): Claim | undefined { return this.#claimants.find(peerId)?.claims.get(index) }

  /** The peer's claim for the piece is respected. */
  isRespected (peerId: string, index: number): boolean {
    return this.#claimants.find(peerId)?.claims.get(index)?.isRespected === true
  }

  /**
   * A peer claims a piece, or renews its claim.
   * @param source where it was heard
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
    if (entry.isRespected || this.#host.now() >= entry.leaseUntil) return
    if (source.isHeard && claimant.hasCredit(this.#host.now())) this.#respect(entry)
  }

  /** The source says that the claim has ended. */
  remove (source: ClaimSource, peerId: string, index: number): void {
    if (source.entries.size === 0) return // asked of many that never said anything
    const entry = this.#claimants.find(peerId)?.claims.get(index)
    if (entry !== undefined) this.#unsay(source, entry)
  }

  /** The source has results of these pieces, which ends its claims: of many pieces, as a rule, it claims few. */
  fulfil (source: ClaimSource, indices: readonly number[]): void {
    for (const entry of source.entries) {
      if (!indices.includes(entry.index)) continue
      if (entry.isRespected && entry.isProven && entry.estimateMs > 0) {
        this.#host.took(overrun(entry, this.#host.now()) ?? 0)
      }
      this.#unsay(source, entry)
    }
  }

  /**
   * The claimant itself ended the claim without a result; to do so late, and over and over, is as bad as to let it
   * lapse.
   */
  abandon (source: ClaimSource, peerId: string, index: number): void {
    const entry = this.#claimants.find(peerId)?.claims.get(index)
    if (entry === undefined) return
    const { claimant, heardAt } = entry
    const pace = this.#host.pace()
    this.#unsay(source, entry)
    if (pace === 0 || claimant.isProven) return
    if (this.#host.now() - heardAt > Math.max(MIN_LEASE_MS, pace) / 2) this.#blame(claimant)
  }

  /** The connection is closed. */
  removeSource (source: ClaimSource): void {
    for (const entry of source.entries) this.#unsay(source, entry)
  }

  /** The peer delivered a piece that matched its digest; `sources` is what comes from it. */
  delivered (peerId: string, sources: readonly ClaimSource[]): void {
    for (const source of sources) source.delivered()
    this.#claimants.get(peerId).delivered()
  }

  /** What a piece takes by the word of those who claim, milliseconds; 0: nobody says. */
  get foreignPaceMs (): number {
    const estimates: number[] = []
    for (const [, claims] of this) {
      for (const { estimateMs } of claims) if (estimateMs > 0) estimates.push(estimateMs)
      if (estimates.length >= FOREIGN_ESTIMATES) break
    }
    return estimates.toSorted((a, b) => a - b)[estimates.length >> 1] ?? 0
  }

  /** When a lease may end, or Infinity. */
  get expireAt (): number { return this.#expireAt }

  /** Ends the respect for claims whose lease is over. Cheap when there is none. */
  expire (): void {
    if (this.#host.now() < this.#expireAt) return
    this.#review()
  }

  /** What a piece takes has become known: leases that began before may be shorter. */
  review (): void {
    for (const entries of this.#pieces.values()) {
      for (const entry of entries) entry.leaseUntil = Math.min(entry.leaseUntil, this.#leaseOf(entry))
    }
    this.#review()
  }

  #review (): void {
    const now = this.#host.now()
    this.#expireAt = Infinity
    for (const entries of this.#pieces.values()) {
      for (const entry of entries) {
        // the estimate, or our pace, may be another one by now
        if (entry.isRespected && entry.leaseUntil <= now) entry.leaseUntil = this.#leaseOf(entry)
        if (entry.isRespected && entry.leaseUntil <= now) this.#lapse(entry)
        else if (entry.isRespected) this.#expireAt = Math.min(this.#expireAt, entry.leaseUntil)
      }
    }
  }

  #lapse (entry: Entry): void {
    this.#disrespect(entry)
    for (const source of entry.sources) source.lapses++
    // one that we only hear of can never redeem itself by delivering to us: then who passed it on answers for it
    if (entry.sources.some(({ kind }) => kind !== 'relay')) this.#blame(entry.claimant)
  }

  #blame (claimant: Claimant): void {
    if (!claimant.blame(this.#host.now())) return
    for (const other of claimant.claims.values()) this.#disrespect(other)
  }

  #leaseOf ({ heardAt, estimateMs, sources }: Entry): number {
    const pace = this.#host.pace()
    const estimate = !areCredible(sources) ? 0 : pace === 0 ? estimateMs : Math.min(estimateMs, MAX_SLOWNESS * pace)
    const pieceMs = Math.max(pace, estimate)
    if (pieceMs === 0) return heardAt + UNKNOWN_LEASE_MS
    return heardAt + Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, LEASE_PIECES * pieceMs))
  }

  #create (claimant: Claimant, { index, elapsedMs, estimateMs, isBackup }: HeardClaim): Entry {
    const now = this.#host.now()
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
    this.#host.changed(entry.index)
  }

  #disrespect (entry: Entry): void {
    if (!entry.isRespected) return
    entry.isRespected = false
    entry.claimant.respected--
    this.#host.changed(entry.index)
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

/** Takes an item out of a list of few; false if it is not there. */
function removed<T> (list: T[], item: T): boolean {
  const at = list.indexOf(item)
  if (at !== -1) list.splice(at, 1)
  return at !== -1
}

/** The estimate of a peer that never delivered, passed on by such, is a stranger's word. */
function areCredible (sources: Iterable<ClaimSource>): boolean {
  for (const { isCredible } of sources) if (isCredible) return true
  return false
}
