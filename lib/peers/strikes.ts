/** Counts what peers do wrong, across connections: reconnecting does not help. One mistake is forgiven. Pure. */
import type { Wire } from '../base/wire.ts'
import { identityOf } from './identity.ts'

/** Pieces with wrong data that a peer may send before the next one gets it banned. */
const STRIKES_TOLERATED = 1
/** Number of peers whose strikes are remembered: peer ids cost nothing to invent. */
const MAX_STRIKERS = 10_000

/** The strikes of one task's peers, or of one input's. */
export class Strikes {
  readonly #counts = new Map<string, number>()

  /** Counts one more, for which the peer alone is to blame. Returns whether it is to be banned. */
  add (wire: Wire): boolean {
    const identity = identityOf(wire)
    const count = (this.#counts.get(identity) ?? 0) + 1
    if (this.#counts.size < MAX_STRIKERS) this.#counts.set(identity, count)
    return count > STRIKES_TOLERATED
  }
}

/** The name of a wire's peer in messages: the address if known, else the peer id. */
export function nameOf ({ remoteAddress, remotePort, peerId }: Wire): string {
  return remoteAddress === undefined ? peerId ?? 'unknown' : `${remoteAddress}:${remotePort}`
}
