/** What the ut_bitworker extension takes, emits and offers. Types only. */
import type { EventEmitter } from 'node:events'
import type { WireExtension } from '../../lib/webtorrent-types.ts'
import type { ClaimRecord, ResultRecord } from './codec.ts'
import type { LocalTask, PeerState } from './state.ts'

/** What `utBitworker` takes. */
export interface UtBitworkerOptions {
  /** absent while there is only a magnet link; `setTask` hands it in later */
  task?: LocalTask
  /** milliseconds on any steady clock; default: `performance.now` */
  now?: () => number
  /** runs a flush once the present turn is over, so that a turn makes one batch; default: `queueMicrotask` */
  schedule?: (flush: () => void) => void
}

/** What the extension emits. */
export interface UtBitworkerEvents {
  /** the peer works on our task; what is announced and claimed in a listener makes the snapshot */
  matched: []
  /** the peer works on another task; the connection is closed after this */
  mismatch: []
  /** pieces the peer has, as received: a changed result is the listener's to find and to `reportViolation` */
  results: [results: ResultRecord[]]
  /** pieces the peer is computing: new claims and renewed ones */
  claims: [claims: ClaimRecord[]]
  /** claims that ended without a result: released or lapsed */
  releases: [indices: number[]]
  /** the peer broke the protocol; at the third time the connection is closed after this */
  violation: [reason: string]
}

/** The extension on one wire. */
export interface UtBitworker extends EventEmitter<UtBitworkerEvents>, WireExtension {
  /** what the peer told us, and `status`, `claims`, `sentClaims` */
  readonly state: PeerState
  /** The metadata arrived: tells the peer our task digest. */
  setTask: (task: LocalTask) => void
  /** Queues our results, and the `have` messages that must not precede them. */
  announce: (results: Iterable<ResultRecord>, haves?: Iterable<number>) => void
  /** Queues claims: before the work starts, and every CLAIM_RENEW_MS from then on. Those beyond 64 live ones are not sent. */
  claim: (claims: Iterable<ClaimRecord>) => void
  /** Queues releases of claims; those the peer never heard of are not sent. */
  release: (indices: Iterable<number>) => void
  /** Sends what is queued now instead of at the end of the turn; nothing before 'matched'. */
  flush: () => void
  /** Drops the peer's claims that lapsed, with a 'releases' event. To be called now and then: there is no timer in here. */
  expireClaims: () => void
  /** The owner found a violation that takes more than this connection to see, such as a changed result. */
  reportViolation: (reason: string) => void
  /** Closes the connection and ignores everything that is still in its buffers. */
  close: () => void
}
