/**
 * The state of one connection: what the peer has told us by ut_bitworker, and which of our own claims it knows.
 *
 * Pure, in the manner of h11: bytes go in, events come out. No wire, timer or clock may be here; the time is an
 * argument (milliseconds on any steady clock). Results are not kept here either: a result outlives the connection, so
 * lib/results/result-table.ts stores it and detects changed ones. No method throws for anything that a peer sent; it
 * returns a 'violation' event instead.
 *
 * Called by extension.ts.
 */
import { equalBytes } from '../../lib/base/digest.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { decodeMessage } from './codec.ts'
import type { Message } from './codec.ts'
import { CLAIM_LEASE_MS, DIGEST_BYTES, MAX_CLAIMS, MAX_FAILURES, MAX_NEIGHBOURS, PROTOCOL_VERSION } from './constants.ts'
import type { FailureRecord } from './failure-records.ts'
import type { PeerEvent } from './peer-events.ts'
import { roundClaim } from './records.ts'
import type { Bounds, ResultRecord } from './record-fields.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'
import { RelayTable } from './relay-table.ts'
import { SigningState, readIdentity } from './signing-state.ts'

/** Our own task: the part that the protocol needs. */
export interface LocalTask extends Bounds {
  /** the task digest, 32 bytes (docs/task-file.md, "Task digest") */
  digest: Uint8Array
}

/** Whether the two peers work on the same task: not known yet, yes, no. */
export type PeerStatus = 'waiting' | 'matched' | 'mismatched'

/** A live claim or backup of the peer. */
export interface Claim {
  /** the elapsed time in its first claim since its last release; decides collisions */
  firstElapsedMs: number
  elapsedMs: number
  /** 0: unknown */
  estimateMs: number
  isBackup: boolean
  /** time of the last renewal */
  receivedAt: number
}

/** A claim of ours that the peer knows. */
export interface SentClaim {
  /** the elapsed time in our first claim since our last release; decides collisions */
  firstElapsedMs: number
  isBackup: boolean
  sentAt: number
}

/** The state of one connection. */
export class PeerState {
  /** The peer's live claims and backups by piece. Lapsed ones stay until `expireClaims` or the next message. */
  readonly claims = new Map<number, Claim>()
  /** Our live claims and backups that were sent to this peer, by piece. */
  readonly sentClaims = new Map<number, SentClaim>()
  /** The peers that it is connected to, as hex peer ids. */
  readonly neighbours = new Set<string>()
  /** Live claims of its neighbours. */
  readonly relays = new RelayTable()
  /** Its key, and what it signed. */
  readonly signing = new SigningState()
  /** The info-hash (hex) of its sealed torrent; null: it has told none. */
  sealed: string | null = null
  /** Pieces that it has given up. */
  readonly failed = new Set<number>()
  readonly #sentFailures = new Set<number>()
  #status: PeerStatus = 'waiting'
  #localTask: LocalTask | undefined
  #remoteDigest: Uint8Array | undefined
  /** lower bound for the time when any claim, received or sent, lapses; checked for every message */
  #claimsLapseAt = Infinity
  #sentLapseAt = Infinity

  /** @param opts `localTask` is absent while only a magnet link is known; `setLocalTask` sets it later */
  constructor (opts: { localTask?: LocalTask } = {}) {
    this.#localTask = opts.localTask
  }

  get status (): PeerStatus { return this.#status }

  get localTask (): LocalTask | undefined { return this.#localTask }

  /** The metadata has arrived. A task never changes: later calls have no effect. */
  setLocalTask (task: LocalTask): PeerEvent[] {
    this.#localTask ??= task
    return this.#compareDigests()
  }

  /** @param handshake the peer's extended handshake (BEP 10) after decoding: any value */
  onHandshake (handshake: unknown): PeerEvent[] {
    if (this.#status === 'mismatched') return []
    const bitworker = property(handshake, 'bitworker')
    // Without the dictionary nothing is known; the digest can still come in a message.
    if (bitworker === undefined) return []
    const version = property(bitworker, 'v')
    const isVersion = Number.isSafeInteger(version) && Number(version) >= PROTOCOL_VERSION
    if (!isVersion) return [violation('handshake: v is not a positive integer')]
    const identity = readIdentity(property(bitworker, 'key'), property(bitworker, 'nonce'))
    if (typeof identity === 'string') return [violation(`handshake: ${identity}`)]
    if (property(bitworker, 'batches') === 1) this.signing.readsBatches = true
    const task = property(bitworker, 'task')
    if (task !== undefined && (!(task instanceof Uint8Array) || task.length !== DIGEST_BYTES)) {
      return [violation(`handshake: task is not a string of ${DIGEST_BYTES} bytes`)]
    }
    const events = identity === null ? [] : this.signing.onIdentity(identity)
    return task === undefined ? events : events.concat(this.#onDigest(task.slice()))
  }

  /**
   * Processes one ut_bitworker message. Keys are processed in the order of the specification, which is that of
   * `RECORD_KEYS`.
   */
  onMessage (bytes: Uint8Array, now: number): PeerEvent[] {
    if (this.#status === 'mismatched') return []
    let message: Message
    try {
      message = decodeMessage(bytes, this.#localTask)
    } catch (error) {
      if (!(error instanceof BitWorkerError)) throw error
      return [violation(error.message)]
    }
    const { task, ...records } = message
    const events = task === undefined ? [] : this.#onDigest(task)
    return events.concat(this.#onRecords(records, now))
  }

  /** Deletes claims, including relayed ones, that were not renewed for CLAIM_LEASE_MS. The events name them. */
  expireClaims (now: number): PeerEvent[] {
    return [...this.#endClaims(this.#lapsed(now)), ...withdrawn(this.relays.expire(now - CLAIM_LEASE_MS))]
  }

  #lapsed (now: number): number[] {
    if (now < this.#claimsLapseAt) return NONE
    const { lapsed, nextAt } = lapse(this.claims, ({ receivedAt }) => receivedAt, now)
    this.#claimsLapseAt = nextAt
    return lapsed
  }

  #sentLapsed (now: number): number[] {
    if (now < this.#sentLapseAt) return NONE
    const { lapsed, nextAt } = lapse(this.sentClaims, ({ sentAt }) => sentAt, now)
    this.#sentLapseAt = nextAt
    return lapsed
  }

  /** Deletes everything: the connection is closed. */
  clear (): void {
    this.claims.clear()
    this.sentClaims.clear()
    this.neighbours.clear()
    this.relays.clear()
  }

  /**
   * Returns the message to send: adds the releases that the peer needs, and omits claims that it would ignore (beyond
   * MAX_CLAIMS). `sentClaims` records the claims that remain. Our own lapsed claims are released.
   */
  prepareSend (message: Message, now: number): Message {
    dropFulfilled(this.sentClaims, message.results ?? [])
    const releases = [...(message.releases ?? []), ...this.#sentLapsed(now)].filter(index =>
      this.sentClaims.delete(index)
    )
    const claims = (message.claims ?? []).map(roundClaim).filter(claim => this.#noteSent(claim, false, now))
    const backups = (message.backups ?? []).map(roundClaim).filter(claim => this.#noteSent(claim, true, now))
    const failures = message.failures?.filter(({ index }) => isNews(this.#sentFailures, index))
    return { ...message, releases, claims, backups, ...(failures !== undefined && { failures }) }
  }

  #noteSent ({ index, elapsedMs }: ClaimRecord, isBackup: boolean, now: number): boolean {
    const known = this.sentClaims.get(index)
    if (known === undefined ? this.sentClaims.size >= MAX_CLAIMS : known.isBackup !== isBackup) return false
    this.#sentLapseAt = Math.min(this.#sentLapseAt, now + CLAIM_LEASE_MS)
    this.sentClaims.set(index, { firstElapsedMs: elapsedMs, isBackup, ...known, sentAt: now })
    return true
  }

  #onDigest (digest: Uint8Array): PeerEvent[] {
    if (this.#remoteDigest !== undefined && !equalBytes(this.#remoteDigest, digest)) return this.#mismatch()
    this.#remoteDigest = digest
    return this.#compareDigests()
  }

  #compareDigests (): PeerEvent[] {
    if (this.#status !== 'waiting' || this.#localTask === undefined || this.#remoteDigest === undefined) return []
    if (!equalBytes(this.#localTask.digest, this.#remoteDigest)) return this.#mismatch()
    this.#status = 'matched'
    return [{ type: 'matched' }]
  }

  #mismatch (): PeerEvent[] {
    this.#status = 'mismatched'
    this.clear()
    return [{ type: 'mismatch' }]
  }

  #onRecords (records: Omit<Message, 'task'>, now: number): PeerEvent[] {
    if (this.#status === 'mismatched' || Object.keys(records).length === 0) return []
    if (this.#status === 'waiting') return [violation('records before the task digest')]
    const { neighbours = [], parted = [], asks = [], failures = [], ...others } = records
    const { results, releases, withdrawals, claims, backups, relays, sealed } = others
    const events = this.expireClaims(now)
    if (neighbours.length + parted.length > 0) events.push(...this.#onNeighbours(neighbours, parted))
    events.push(...this.signing.onRecords(records, now))
    if (results !== undefined) events.push(...this.#onResults(results))
    if (releases !== undefined) events.push(...this.#endClaims(releases))
    if (withdrawals !== undefined) {
      events.push(...withdrawn(withdrawals.filter(({ index, peerId }) => this.relays.delete(index, peerId))))
    }
    if (claims !== undefined) events.push(...this.#onClaims(claims, false, now))
    if (backups !== undefined) events.push(...this.#onClaims(backups, true, now))
    if (relays !== undefined) events.push(...this.#onRelays(relays, now))
    if (sealed !== undefined) events.push(...this.#onSealed(sealed))
    if (asks.length > 0 && this.signing.own !== null) events.push({ type: 'asks', indices: asks })
    if (failures.length > 0) events.push(...this.#onFailures(failures))
    return events
  }

  #onNeighbours (neighbours: string[], parted: string[]): PeerEvent[] {
    const joined = neighbours.filter(id => {
      if (this.neighbours.has(id) || this.neighbours.size >= MAX_NEIGHBOURS) return false
      this.neighbours.add(id)
      return true
    })
    const left = parted.filter(id => this.neighbours.delete(id))
    return joined.length + left.length === 0 ? [] : [{ type: 'neighbours', joined, parted: left }]
  }

  #onSealed ([infoHash]: string[]): PeerEvent[] {
    if (infoHash === undefined || this.sealed !== null) return []
    this.sealed = infoHash
    return [{ type: 'sealed', infoHash }]
  }

  #onFailures (records: FailureRecord[]): PeerEvent[] {
    const failures = records.filter(({ index }) => isNews(this.failed, index))
    return failures.length === 0 ? [] : [{ type: 'failures', failures }]
  }

  #onResults (results: ResultRecord[]): PeerEvent[] {
    if (results.length === 0) return []
    // A result ends the claims for its piece: the peer's own, and those that it relayed, since the piece can be
    // downloaded from it.
    const withdrawals: WithdrawalRecord[] = []
    dropFulfilled(this.claims, results)
    for (const { index } of results) withdrawals.push(...this.relays.deletePiece(index))
    return [{ type: 'results', results }, ...withdrawn(withdrawals)]
  }

  #onClaims (records: ClaimRecord[], isBackup: boolean, now: number): PeerEvent[] {
    this.#claimsLapseAt = Math.min(this.#claimsLapseAt, now + CLAIM_LEASE_MS)
    const claims = records.filter(({ index, elapsedMs, estimateMs }) => {
      const known = this.claims.get(index)
      // a claim keeps its kind: the kind decides whether it collides, and both sides must agree on that
      if (known === undefined ? this.claims.size >= MAX_CLAIMS : known.isBackup !== isBackup) return false
      this.claims.set(index, {
        firstElapsedMs: known?.firstElapsedMs ?? elapsedMs, elapsedMs, estimateMs, isBackup, receivedAt: now
      })
      return true
    })
    if (claims.length === 0) return []
    return [isBackup ? { type: 'backups', backups: claims } : { type: 'claims', claims }]
  }

  #endClaims (indices: number[]): PeerEvent[] {
    const releases = indices.filter(index => this.claims.delete(index))
    return releases.length === 0 ? [] : [{ type: 'releases', releases }]
  }

  #onRelays (records: RelayRecord[], now: number): PeerEvent[] {
    const relays = records.filter(relay => this.relays.add(relay, now))
    return relays.length === 0 ? [] : [{ type: 'relays', relays }]
  }
}

const NONE: number[] = []

/** Adds the piece to those that were given up on this connection. Returns whether it is new, and within the limit. */
function isNews (failed: Set<number>, index: number): boolean {
  if (failed.has(index) || failed.size >= MAX_FAILURES) return false
  failed.add(index)
  return true
}

/**
 * Deletes the claims for pieces that have a result now. There are few claims, so it iterates over them: looking up each
 * of many results would take longer.
 */
function dropFulfilled (claims: Map<number, unknown>, results: ResultRecord[]): void {
  for (const index of claims.keys()) if (results.some(result => result.index === index)) claims.delete(index)
}

function withdrawn (withdrawals: WithdrawalRecord[]): PeerEvent[] {
  return withdrawals.length === 0 ? [] : [{ type: 'withdrawals', withdrawals }]
}

/** Returns the lapsed claims, and the time when the next one may lapse. */
function lapse<T> (
  claims: ReadonlyMap<number, T>, sinceOf: (claim: T) => number, now: number
): { lapsed: number[], nextAt: number } {
  const lapsed: number[] = []
  let nextAt = now + CLAIM_LEASE_MS
  for (const [index, claim] of claims) {
    const lapsesAt = sinceOf(claim) + CLAIM_LEASE_MS
    if (lapsesAt <= now) lapsed.push(index)
    else nextAt = Math.min(nextAt, lapsesAt)
  }
  return { lapsed, nextAt }
}

function violation (reason: string): PeerEvent {
  return { type: 'violation', reason }
}

/** Reads a property of an unknown value; undefined if it has no such property. */
function property (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
