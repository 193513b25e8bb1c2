/** What the ut_bitworker extension takes, emits and offers. Types only. */
import type { EventEmitter } from 'node:events'
import type { WireExtension } from '../../lib/base/wire.ts'
import type { ClaimRecord, RelayRecord, ResultRecord, WithdrawalRecord } from './records.ts'
import type { LocalTask, PeerState } from './state.ts'

/** What `utBitworker` takes. */
export interface UtBitworkerOptions {
  /** absent while there is only a magnet link; `setTask` hands it in later */
  task?: LocalTask
  /** milliseconds on any steady clock; default: `performance.now` */
  now?: () => number
  /**
   * runs a flush `ms` milliseconds from now, and after the present turn, so that a turn makes one batch; default: the
   * machine's clock
   */
  schedule?: (flush: () => void, ms: number) => void
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
  /** pieces the peer is computing although others claimed or announced them: new and renewed */
  backups: [backups: ClaimRecord[]]
  /** claims and backups that ended without a result: released or lapsed */
  releases: [indices: number[]]
  /** the peer is connected to these (hex peer ids) from now on, and to those not any more */
  neighbours: [joined: string[], parted: string[]]
  /** claims of the peer's neighbours: new and renewed */
  relays: [relays: RelayRecord[]]
  /** relayed claims that ended */
  withdrawals: [withdrawals: WithdrawalRecord[]]
  /** the peer broke the protocol; at the third time the connection is closed after this */
  violation: [reason: string]
}

/** Results of ours, and the pieces whose `have` messages must not precede them. */
export interface Announcements { results: Iterable<ResultRecord>, haves: Iterable<number> }

/** The extension on one wire. */
export interface UtBitworker extends EventEmitter<UtBitworkerEvents>, WireExtension {
  /** what the peer told us, and `status`, `claims`, `sentClaims` */
  readonly state: PeerState
  /** The metadata arrived: tells the peer our task digest. */
  setTask: (task: LocalTask) => void
  /** Queues our results, and the `have` messages that must not precede them. */
  announce: (results: Iterable<ResultRecord>, haves?: Iterable<number>) => void
  /**
   * Asked at each flush for more that goes with what is queued, as `announce` takes it: for owners of many connections
   * that queue for all of them at once. `wake` has a flush made.
   */
  pending: (() => Announcements) | null
  wake: () => void
  /**
   * Queues claims: before the work starts, and every CLAIM_RENEW_MS from then on. Those beyond 64 live ones are not
   * sent.
   */
  claim: (claims: Iterable<ClaimRecord>, opts?: { isBackup?: boolean }) => void
  /** Queues releases of claims; those the peer never heard of are not sent. */
  release: (indices: Iterable<number>) => void
  /** Queues claims of other peers that we are connected to, and this one is not. */
  relay: (relays: Iterable<RelayRecord>) => void
  /** Queues the end of such claims. */
  withdraw: (withdrawals: Iterable<WithdrawalRecord>) => void
  /** Queues that we are connected to another peer (hex peer id), or not any more. */
  setNeighbour: (peerId: string, isConnected: boolean) => void
  /** Sends what is queued now instead of at the end of the turn; nothing before 'matched'. */
  flush: () => void
  /**
   * Drops the peer's claims that lapsed, with a 'releases' event. To be called now and then: there is no timer in here.
   */
  expireClaims: () => void
  /** The owner found a violation that takes more than this connection to see, such as a changed result. */
  reportViolation: (reason: string) => void
  /** Closes the connection and ignores everything that is still in its buffers. */
  close: () => void
}
