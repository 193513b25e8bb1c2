/**
 * The ut_bitworker extension of bittorrent-protocol (docs/ut_bitworker.md), used like ut_metadata or ut_pex:
 *
 *   wire.use(utBitworker({ task }))
 *   wire.ut_bitworker.on('results', results => …)
 */
import type { Wire } from '../../lib/base/wire.ts'
import { Extension } from './extension.ts'
import type { UtBitworker, UtBitworkerOptions } from './types.ts'

export { keepsClaim } from './collision.ts'
export type { ClaimRecord, RelayRecord, ResultRecord, WithdrawalRecord } from './records.ts'
export type { LocalTask } from './state.ts'
export type { Announcements, UtBitworker, UtBitworkerEvents, UtBitworkerOptions } from './types.ts'

/**
 * The extension for a task's wires, to be passed to `wire.use()`: at the latest in the wire's 'handshake' event, before
 * `wire.handshake()` if that comes later.
 */
export function utBitworker (opts: UtBitworkerOptions = {}): new (wire: Wire) => UtBitworker {
  // No class of its own: to the engine its objects would have a shape of their own, and a thousand wires a thousand of
  // them, each access slow. wire.use() looks for the name on the prototype.
  const Bound = function (wire: Wire): UtBitworker { return new Extension(wire, opts) }
  Bound.prototype = Extension.prototype
  return Bound as unknown as new (wire: Wire) => UtBitworker
}
