/** What a handshake, a message or the passing of time means on one connection. Types only. */
import type { AttestationRecord, MemberRecord, ReceivedBatch } from './attestation-records.ts'
import type { FailureRecord } from './failure-records.ts'
import type { ResultRecord } from './record-fields.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'

/** An event caused by a handshake, a message, or the passing of time. */
export type PeerEvent =
  /** both work on the same task; emitted once */
  | { type: 'matched' }
  /** the peer works on another task: close the connection; emitted once, as the last event */
  | { type: 'mismatch' }
  /** the peer connected to `joined` and disconnected from `parted` (hex peer ids) */
  | { type: 'neighbours', joined: string[], parted: string[] }
  /** the peer has told its key, which it has not proved yet; emitted once */
  | { type: 'key' }
  /** a signature of 64 bytes by which the peer proves its key; not checked; emitted at most once */
  | { type: 'proof', proof: Uint8Array }
  /** certificates within the limits; signatures are not checked */
  | { type: 'members', members: MemberRecord[] }
  /** attestations within the limits; signatures are not checked */
  | { type: 'attestations', attestations: AttestationRecord[] }
  /** batches within the limits, whose results follow; signatures are not checked */
  | { type: 'batches', batches: ReceivedBatch[] }
  /** as received; the caller detects changed results */
  | { type: 'results', results: ResultRecord[] }
  /** new and renewed claims within the limits */
  | { type: 'claims', claims: ClaimRecord[] }
  /** new and renewed backups within the limits */
  | { type: 'backups', backups: ClaimRecord[] }
  /** claims and backups that ended without a result: released or lapsed */
  | { type: 'releases', releases: number[] }
  /** new and renewed claims of the peer's neighbours */
  | { type: 'relays', relays: RelayRecord[] }
  /** relayed claims that ended without a result: withdrawn or lapsed */
  | { type: 'withdrawals', withdrawals: WithdrawalRecord[] }
  /** the peer has sealed the task: info-hash (hex) of the ordinary torrent; at most once */
  | { type: 'sealed', infoHash: string }
  /** pieces whose attestations the peer wants */
  | { type: 'asks', indices: number[] }
  /** pieces that the peer has given up, within the limits, each at most once */
  | { type: 'failures', failures: FailureRecord[] }
  /** the peer broke the protocol; its message was ignored */
  | { type: 'violation', reason: string }
