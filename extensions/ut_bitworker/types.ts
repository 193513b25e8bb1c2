/** Options, events and interface of the ut_bitworker extension. Types only. */
import type { EventEmitter } from 'node:events'
import type { WireExtension } from '../../lib/base/wire.ts'
import type { AttestationRecord, BatchRecord, MemberRecord, ReceivedBatch } from './attestation-records.ts'
import type { FailureRecord } from './failure-records.ts'
import type { ResultRecord } from './record-fields.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'
import type { WireIdentity } from './signing-state.ts'
import type { LocalTask, PeerState } from './state.ts'

/** Options of `utBitworker`. */
export interface UtBitworkerOptions {
  /** absent while only a magnet link is known; `setTask` sets it later */
  task?: LocalTask
  /** our key, and a nonce that no other connection has; absent: nothing is signed here, `identify` can set it later */
  identity?: WireIdentity
  /** milliseconds on any steady clock; default: `performance.now` */
  now?: () => number
  /**
   * runs a flush `ms` milliseconds from now, and after the current turn, so that a turn gives one batch; default: the
   * machine's clock
   */
  schedule?: (flush: () => void, ms: number) => void
}

/** Events of the extension. */
export interface UtBitworkerEvents {
  /** the peer works on our task; anything that a listener announces and claims becomes the snapshot */
  matched: []
  /** the peer works on another task; the connection is closed after this event */
  mismatch: []
  /** the peer has told its key (`state.signing.peer`), which it has not proved yet; at most once */
  key: []
  /** a signature of 64 bytes, not checked, by which the peer proves its key; at most once */
  proof: [proof: Uint8Array]
  /** certificates of members; their signatures are not checked */
  members: [members: MemberRecord[]]
  /** attestations of the peer and of others; their signatures are not checked */
  attestations: [attestations: AttestationRecord[]]
  /** results, about to be heard, that the peer has signed together; the signatures are not checked */
  batches: [batches: ReceivedBatch[]]
  /** pieces whose attestations the peer wants */
  asks: [indices: number[]]
  /** pieces that the peer has, as received; the listener must detect changed results and call `reportViolation` */
  results: [results: ResultRecord[]]
  /** pieces that the peer is computing: new and renewed claims */
  claims: [claims: ClaimRecord[]]
  /** pieces that the peer is computing although others claimed or announced them: new and renewed backups */
  backups: [backups: ClaimRecord[]]
  /** claims and backups that ended without a result: released or lapsed */
  releases: [indices: number[]]
  /** the peer connected to `joined` and disconnected from `parted` (hex peer ids) */
  neighbours: [joined: string[], parted: string[]]
  /** claims of the peer's neighbours: new and renewed */
  relays: [relays: RelayRecord[]]
  /** relayed claims that ended */
  withdrawals: [withdrawals: WithdrawalRecord[]]
  /** the peer has made an ordinary torrent (hex info-hash) of the finished files; at most once */
  sealed: [infoHash: string]
  /** pieces that the peer has given up: each at most once, and at most MAX_FAILURES */
  failures: [failures: FailureRecord[]]
  /** the peer broke the protocol; after the third time, the connection is closed */
  violation: [reason: string]
}

/** Our results, and the pieces whose `have` messages must not precede them. */
export interface Announcements { results: Iterable<ResultRecord>, haves: Iterable<number> }

/** Our results, and what attests them. */
export interface Signed {
  /** the same results; those of `batches` come first, in their order */
  results: ResultRecord[]
  attestations: AttestationRecord[]
  /** of at most MAX_RECORDS results; only to a peer that reads them */
  batches: BatchRecord[]
}

/** The extension on one wire. */
export interface UtBitworker extends EventEmitter<UtBitworkerEvents>, WireExtension {
  /** what the peer has told us, and `status`, `claims`, `sentClaims` */
  readonly state: PeerState
  /** The metadata has arrived: sends the peer our task digest. */
  setTask: (task: LocalTask) => void
  /**
   * Tells the peer our key, by the extended handshake that is sent next. Has no effect if there is a key already.
   */
  identify: (identity: WireIdentity) => void
  /** Queues the proof of our key (64 bytes). Neither this nor the next three may be sent to a peer without a key. */
  prove: (proof: Uint8Array) => void
  /** Queues certificates: at most MAX_MEMBERS on one connection. */
  certify: (members: Iterable<MemberRecord>) => void
  /** Queues attestations: at most ATTESTATION_BURST at once, and ATTESTATIONS_PER_SECOND. */
  attest: (attestations: Iterable<AttestationRecord>) => void
  /** Queues that we want the attestations of these pieces. */
  ask: (indices: Iterable<number>) => void
  /** Called with the results that are about to be sent; returns them with their attestations, which are sent before. */
  attesting: ((results: ResultRecord[]) => Signed) | null
  /** Queues our results, and the `have` messages that must not precede them. */
  announce: (results: Iterable<ResultRecord>, haves?: Iterable<number>) => void
  /**
   * Called at each flush for more announcements, in the form of `announce`. Owners of many connections can so queue for
   * all of them at once. `wake` triggers a flush.
   */
  pending: (() => Announcements) | null
  wake: () => void
  /** Queues claims: before the work starts, and then every CLAIM_RENEW_MS. Claims beyond 64 live ones are not sent. */
  claim: (claims: Iterable<ClaimRecord>, opts?: { isBackup?: boolean }) => void
  /** Queues releases of claims. Releases of claims that the peer never received are not sent. */
  release: (indices: Iterable<number>) => void
  /** Queues claims of other peers, which we are connected to and this peer is not. */
  relay: (relays: Iterable<RelayRecord>) => void
  /** Queues the withdrawal of relayed claims. */
  withdraw: (withdrawals: Iterable<WithdrawalRecord>) => void
  /** Queues that we connected to another peer (hex peer id), or disconnected from it. */
  setNeighbour: (peerId: string, isConnected: boolean) => void
  /** Queues that we have made an ordinary torrent (hex info-hash) of the finished files. */
  seal: (infoHash: string) => void
  /** Queues that we have given up these pieces. Those beyond MAX_FAILURES on one connection are not sent. */
  giveUp: (failures: Iterable<FailureRecord>) => void
  /** Sends the queue now instead of at the end of the turn; sends nothing before 'matched'. */
  flush: () => void
  /**
   * Deletes the peer's lapsed claims, with a 'releases' event. The owner must call it from time to time: there is no
   * timer here.
   */
  expireClaims: () => void
  /** Reports a violation that this connection alone cannot detect, such as a changed result. */
  reportViolation: (reason: string) => void
  /** Closes the connection, and ignores everything that is still in its buffers. */
  close: () => void
}
