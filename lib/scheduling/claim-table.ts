/**
 * What other peers say they are computing, and how far it is believed. Pure: the clock is handed in.
 *
 * A claim keeps its piece from being computed here only while it is *respected*: claims are free, and a peer that
 * claims everything and delivers nothing must not stop a task. So a peer has credit for a few claims until it delivers,
 * a claim lapses when the piece takes far longer than pieces take, and whoever lets claims lapse is not listened to for
 * a while (docs/scheduling.md, "Whom to believe"). Called by scheduler.ts.
 */

/** Claims respected of a peer that has not delivered a piece yet: the slots of a common machine. */
const NEWCOMER_CLAIMS = 8
/** More for each piece it delivered, up to what the protocol allows. */
const CLAIMS_PER_DELIVERY = 2
const MAX_CLAIMS = 64
/** A claim lapses after this many times what a piece takes, within these bounds. */
const LEASE_PIECES = 3
const MIN_LEASE_MS = 2_000
const MAX_LEASE_MS = 3_600_000
/** The lease while nobody knows what a piece takes. */
const UNKNOWN_LEASE_MS = 90_000
/** A peer that passed on this many claims that lapsed, and delivered nothing in between, is not listened to. */
const MAX_RELAYED_LAPSES = 16
/** An estimate counts up to this many times our own pace: slow machines are welcome, endless promises are not. */
const MAX_SLOWNESS = 10
/** A peer that let this many claims lapse, and delivered nothing in between, is not respected for a while. */
const MAX_LAPSES = 2
const DISREGARD_MS = 600_000
/** Peers remembered: their ids cost nothing to make up. */
const MAX_CLAIMANTS = 10_000

/** What is known of a peer, by what it claimed and delivered. */
interface Claimant {
  readonly id: string
  readonly claims: Map<number, Entry>
  delivered: number
  lapses: number
  respected: number
  disregardedUntil: number
}

/** A peer computes a piece. */
export interface Claim {
  readonly index: number
  /** others had claimed or announced it before */
  readonly isBackup: boolean
  /** on our clock, milliseconds; before we heard of it */
  readonly startedAt: number
  readonly heardAt: number
  /** milliseconds in all; 0: unknown */
  readonly estimateMs: number
  /** who claims has delivered a piece to us; what others say of times is a stranger's word */
  readonly isProven: boolean
}

/**
 * By how much the claim is late, milliseconds; undefined: in time, or unknown. Only time that has passed here counts: a
 * claim may say that it has run for weeks.
 */
export function overrun ({ startedAt, heardAt, estimateMs }: Claim, now: number): number | undefined {
  const ms = now - startedAt - estimateMs
  return estimateMs > 0 && ms > 0 ? Math.min(ms, now - heardAt) : undefined
}

interface Entry extends Claim {
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
}

/** A claim as it was heard. */
export interface HeardClaim { index: number, elapsedMs: number, estimateMs: number, isBackup: boolean }

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
  readonly #claimants = new Map<string, Claimant>()
  /** those of them that claim nothing now */
  readonly #idle = new Set<Claimant>()
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
  get (peerId: string, index: number): Claim | undefined { return this.#claimants.get(peerId)?.claims.get(index) }

  /** The peer's claim for the piece is respected. */
  isRespected (peerId: string, index: number): boolean {
    return this.#claimants.get(peerId)?.claims.get(index)?.isRespected === true
  }

  /**
   * A peer claims a piece, or renews its claim.
   * @param source where it was heard
   * @param peerId the claimant (hex)
   */
  add (source: ClaimSource, peerId: string, heard: HeardClaim): void {
    const claimant = this.#claimant(peerId)
    const known = claimant.claims.get(heard.index)
    if (known?.sources.includes(source) !== true && source.entries.size >= source.limit) return
    const entry = known ?? this.#create(claimant, heard)
    if (!entry.sources.includes(source)) entry.sources.push(source)
    source.entries.add(entry)
    entry.estimateMs = heard.estimateMs
    entry.leaseUntil = Math.max(entry.leaseUntil, this.#leaseOf(entry))
    if (entry.isRespected || this.#host.now() >= entry.leaseUntil) return
    if (source.kind === 'relay' && !mayRelay(source)) return
    if (this.#hasCredit(claimant)) this.#respect(entry)
  }

  /** The source says that the claim has ended. */
  remove (source: ClaimSource, peerId: string, index: number): void {
    if (source.entries.size === 0) return // asked of many that never said anything
    const entry = this.#claimants.get(peerId)?.claims.get(index)
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
    const entry = this.#claimants.get(peerId)?.claims.get(index)
    if (entry === undefined) return
    const { claimant, heardAt } = entry
    const pace = this.#host.pace()
    this.#unsay(source, entry)
    if (pace === 0 || claimant.delivered > 0) return
    if (this.#host.now() - heardAt > Math.max(MIN_LEASE_MS, pace) / 2) this.#blame(claimant)
  }

  /** The connection is closed. */
  removeSource (source: ClaimSource): void {
    for (const entry of source.entries) this.#unsay(source, entry)
  }

  /** The peer delivered a piece that matched its digest; `sources` is what comes from it. */
  delivered (peerId: string, sources: readonly ClaimSource[]): void {
    for (const source of sources) Object.assign(source, { isCredible: true, lapses: 0 })
    const claimant = this.#claimant(peerId)
    claimant.delivered++
    claimant.lapses = 0
    claimant.disregardedUntil = -Infinity
    for (const entry of claimant.claims.values()) entry.isProven = true
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
    if (++claimant.lapses < MAX_LAPSES) return
    claimant.disregardedUntil = this.#host.now() + DISREGARD_MS
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
      isProven: claimant.delivered > 0,
      leaseUntil: 0,
      isRespected: false,
      sources: []
    }
    claimant.claims.set(index, entry)
    this.#idle.delete(claimant)
    const entries = this.#pieces.get(index)
    if (entries === undefined) this.#pieces.set(index, [entry])
    else entries.push(entry)
    return entry
  }

  #hasCredit ({ respected, delivered, disregardedUntil }: Claimant): boolean {
    return (
      disregardedUntil <= this.#host.now() &&
      respected < Math.min(MAX_CLAIMS, NEWCOMER_CLAIMS + CLAIMS_PER_DELIVERY * delivered)
    )
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
    if (entry.claimant.claims.size === 0) this.#idle.add(entry.claimant)
    this.#disrespect(entry)
  }

  #claimant (id: string): Claimant {
    const known = this.#claimants.get(id)
    if (known !== undefined) return known
    const claimant: Claimant = {
      id, claims: new Map(), delivered: 0, lapses: 0, respected: 0, disregardedUntil: -Infinity
    }
    if (this.#claimants.size >= MAX_CLAIMANTS) this.#forgetOne()
    this.#claimants.set(id, claimant)
    this.#idle.add(claimant)
    return claimant
  }

  /** Those that claim something are bounded by what their sources may bring. */
  #forgetOne (): void {
    for (const claimant of this.#idle) {
      this.#idle.delete(claimant)
      this.#claimants.delete(claimant.id)
      return
    }
  }
}

/** Takes an item out of a list of few; false if it is not there. */
function removed<T> (list: T[], item: T): boolean {
  const at = list.indexOf(item)
  if (at !== -1) list.splice(at, 1)
  return at !== -1
}

/**
 * A peer can invent as many neighbours as it likes: until it delivers, all of them together have the credit of one
 * newcomer.
 */
function mayRelay ({ lapses, isCredible, entries }: ClaimSource): boolean {
  return lapses < MAX_RELAYED_LAPSES && (isCredible || entries.size <= NEWCOMER_CLAIMS)
}

/** The estimate of a peer that never delivered, passed on by such, is a stranger's word. */
function areCredible (sources: Iterable<ClaimSource>): boolean {
  for (const { isCredible } of sources) if (isCredible) return true
  return false
}
