/**
 * What one peer has told us by ut_bitworker, and what of our own claims it knows: the state of one connection.
 *
 * Pure, in h11's manner: bytes go in, events come out. No wire, no timer, no clock (the time is an argument: milliseconds
 * on any steady clock) and no results may live here: a result outlives the connection, lib/results.ts keeps it and finds
 * the changed ones. A method never throws for anything a peer sent; it answers with a 'violation' event.
 *
 * Called by index.ts, and by simulations that have no wires.
 */
import { BitWorkerError } from '../../lib/errors.ts'
import { decodeMessage, equalBytes, roundClaim } from './codec.ts'
import type { Bounds, ClaimRecord, Message, ResultRecord } from './codec.ts'
import { CLAIM_LEASE_MS, DIGEST_BYTES, MAX_CLAIMS, PROTOCOL_VERSION } from './constants.ts'

/** Our own task, as far as the protocol must know it. */
export interface LocalTask extends Bounds {
  /** the task digest, 32 bytes (docs/ut_bitworker.md, "Task digest") */
  digest: Uint8Array
}

/** Whether the two peers work on the same task: not known yet, yes, no. */
export type PeerStatus = 'waiting' | 'matched' | 'mismatched'

/** A live claim of the peer's. */
export interface Claim {
  /** what its first claim since its last release said; decides collisions */
  firstElapsedMs: number
  elapsedMs: number
  /** 0: unknown */
  estimateMs: number
  /** when it was last renewed */
  receivedAt: number
}

/** A claim of ours that the peer knows of. */
export interface SentClaim {
  /** what our first claim since our last release said; decides collisions */
  firstElapsedMs: number
  sentAt: number
}

/** What became of a handshake, a message, or the passing of time. */
export type PeerEvent =
  /** both work on the same task; happens once */
  | { type: 'matched' }
  /** the peer works on another task: close the connection; happens once, nothing follows */
  | { type: 'mismatch' }
  /** as received; finding changed ones is the caller's */
  | { type: 'results', results: ResultRecord[] }
  /** new and renewed claims that count */
  | { type: 'claims', claims: ClaimRecord[] }
  /** claims that ended without a result: released or lapsed */
  | { type: 'releases', releases: number[] }
  /** the peer broke the protocol; what it sent was ignored */
  | { type: 'violation', reason: string }

/** The state of one connection. */
export class PeerState {
  /** The peer's live claims by piece; claims that lapsed stay until `expireClaims` or the next message. */
  readonly claims = new Map<number, Claim>()
  /** Our live claims that were sent to this peer, by piece. */
  readonly sentClaims = new Map<number, SentClaim>()
  #status: PeerStatus = 'waiting'
  #localTask: LocalTask | undefined
  #remoteDigest: Uint8Array | undefined

  /** @param opts `localTask` is absent while there is only a magnet link; `setLocalTask` hands it in later */
  constructor (opts: { localTask?: LocalTask } = {}) {
    this.#localTask = opts.localTask
  }

  get status (): PeerStatus { return this.#status }

  get localTask (): LocalTask | undefined { return this.#localTask }

  /** The metadata arrived. A task never changes: later calls change nothing. */
  setLocalTask (task: LocalTask): PeerEvent[] {
    this.#localTask ??= task
    return this.#compareDigests()
  }

  /** @param handshake the peer's extended handshake (BEP 10), decoded by whatever decodes it: any value */
  onHandshake (handshake: unknown): PeerEvent[] {
    if (this.#status === 'mismatched') return []
    const bitworker = property(handshake, 'bitworker')
    // Without the dictionary nothing is said; the digest can still come in a message.
    if (bitworker === undefined) return []
    const version = property(bitworker, 'v')
    if (!Number.isSafeInteger(version) || Number(version) < PROTOCOL_VERSION) return [violation('handshake: v is not a positive integer')]
    const task = property(bitworker, 'task')
    if (task === undefined) return []
    if (!(task instanceof Uint8Array) || task.length !== DIGEST_BYTES) {
      return [violation(`handshake: task is not a string of ${DIGEST_BYTES} bytes`)]
    }
    return this.#onDigest(task.slice())
  }

  /** One ut_bitworker message. Keys are processed in the order task, results, releases, claims. */
  onMessage (bytes: Uint8Array, now: number): PeerEvent[] {
    if (this.#status === 'mismatched') return []
    let message: Message
    try {
      message = decodeMessage(bytes, this.#localTask)
    } catch (error) {
      if (!(error instanceof BitWorkerError)) throw error
      return [violation(error.message)]
    }
    const events = message.task === undefined ? [] : this.#onDigest(message.task)
    return events.concat(this.#onRecords(message, now))
  }

  /** Forgets the peer's claims that were not renewed for CLAIM_LEASE_MS; a 'releases' event tells which. */
  expireClaims (now: number): PeerEvent[] {
    const lapsed = [...this.claims].filter(([, claim]) => hasLapsed(claim.receivedAt, now)).map(([index]) => index)
    return this.#endClaims(lapsed)
  }

  /**
   * The message as it is to be sent: with the releases the peer needs to hear, without the claims it would ignore
   * (beyond MAX_CLAIMS), which `sentClaims` then remembers. A claim of ours that lapsed is released.
   */
  prepareSend (message: Message, now: number): Message {
    for (const { index } of message.results ?? []) this.sentClaims.delete(index)
    const lapsed = [...this.sentClaims].filter(([, claim]) => hasLapsed(claim.sentAt, now)).map(([index]) => index)
    const releases = [...message.releases ?? [], ...lapsed].filter(index => this.sentClaims.delete(index))
    const claims = (message.claims ?? []).map(roundClaim).filter(claim => this.#noteSent(claim, now))
    return { ...message, releases, claims }
  }

  #noteSent ({ index, elapsedMs }: ClaimRecord, now: number): boolean {
    const known = this.sentClaims.get(index)
    if (known === undefined && this.sentClaims.size >= MAX_CLAIMS) return false
    this.sentClaims.set(index, { firstElapsedMs: known?.firstElapsedMs ?? elapsedMs, sentAt: now })
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
    this.claims.clear()
    this.sentClaims.clear()
    return [{ type: 'mismatch' }]
  }

  #onRecords ({ results, releases, claims }: Message, now: number): PeerEvent[] {
    if (this.#status === 'mismatched') return []
    if (results === undefined && releases === undefined && claims === undefined) return []
    if (this.#status === 'waiting') return [violation('records before the task digest')]
    const events = this.expireClaims(now)
    if (results !== undefined && results.length > 0) events.push(this.#onResults(results))
    if (releases !== undefined) events.push(...this.#endClaims(releases))
    if (claims !== undefined) events.push(...this.#onClaims(claims, now))
    return events
  }

  #onResults (results: ResultRecord[]): PeerEvent {
    // A result ends the claim for its piece.
    for (const { index } of results) this.claims.delete(index)
    return { type: 'results', results }
  }

  #onClaims (records: ClaimRecord[], now: number): PeerEvent[] {
    const claims = records.filter(({ index, elapsedMs, estimateMs }) => {
      const known = this.claims.get(index)
      if (known === undefined && this.claims.size >= MAX_CLAIMS) return false
      this.claims.set(index, { firstElapsedMs: known?.firstElapsedMs ?? elapsedMs, elapsedMs, estimateMs, receivedAt: now })
      return true
    })
    return claims.length === 0 ? [] : [{ type: 'claims', claims }]
  }

  #endClaims (indices: number[]): PeerEvent[] {
    const releases = indices.filter(index => this.claims.delete(index))
    return releases.length === 0 ? [] : [{ type: 'releases', releases }]
  }
}

function hasLapsed (since: number, now: number): boolean {
  return now - since >= CLAIM_LEASE_MS
}

function violation (reason: string): PeerEvent {
  return { type: 'violation', reason }
}

/** A property of what may be anything; undefined if that has none. */
function property (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
