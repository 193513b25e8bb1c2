/**
 * The ut_bitworker extension of bittorrent-protocol (docs/ut_bitworker.md), used like ut_metadata or ut_pex:
 *
 *   wire.use(utBitworker({ task }))
 *   wire.ut_bitworker.on('results', results => …)
 */
import type { Wire } from '../../lib/base/wire.ts'
import { Extension } from './extension.ts'
import type { UtBitworker, UtBitworkerOptions } from './types.ts'

export { packAttestation, packKept, readKept, statementBytes } from './attestation-records.ts'
export { keepsClaim } from './collision.ts'
export type {
  AttestationKind, AttestationRecord, BatchRecord, Branch, MemberRecord, ReceivedBatch, StatementRecord
} from './attestation-records.ts'
export type { FailureKind, FailureRecord } from './failure-records.ts'
export type { ResultRecord } from './record-fields.ts'
export type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'
export type { WireIdentity } from './signing-state.ts'
export type { LocalTask } from './state.ts'
export type { Announcements, Signed, UtBitworker, UtBitworkerEvents, UtBitworkerOptions } from './types.ts'

/**
 * Makes the extension for a task's wires, to be passed to `wire.use()`: in the wire's 'handshake' event at the latest,
 * and before `wire.handshake()` if that comes later.
 */
export function utBitworker (opts: UtBitworkerOptions = {}): new (wire: Wire) => UtBitworker {
  // Not a class for each task: V8 would give the objects of each class their own shape, a thousand wires would have a
  // thousand shapes, and every property access would be slow. wire.use() looks for the name on the prototype.
  const Bound = function (wire: Wire): UtBitworker { return new Extension(wire, opts) }
  Bound.prototype = Extension.prototype
  return Bound as unknown as new (wire: Wire) => UtBitworker
}
