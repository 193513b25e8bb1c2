/**
 * One connected peer of a task, as all parts of a work session see it. Data about a peer that only one part needs is
 * kept by that part, in a map from which the peer is removed when it disconnects.
 */
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import type { PeerResults } from '../results/result-table.ts'
import { Holder } from '../scheduling/holder.ts'
import { nameOf } from './strikes.ts'

/** A wire, together with the announcements of its peer. */
export class TaskPeer {
  readonly wire: Wire
  readonly ext: UtBitworker
  readonly results: PeerResults
  /** the pieces that it announced and that we lack, and how it delivers */
  readonly holder = new Holder()
  /** it was sent our bitfield */
  isGreeted = false
  /** Otherwise it has to show that it is a member first. */
  isAdmitted = true
  readonly #onceAdmitted: Array<() => void> = []

  constructor (wire: Wire, ext: UtBitworker, results: PeerResults) {
    this.wire = wire
    this.ext = ext
    this.results = results
  }

  /** Nothing is exchanged with the peer until `admit`. */
  hold (): void { this.isAdmitted = false }

  admit (): void {
    this.isAdmitted = true
    for (const run of this.#onceAdmitted.splice(0)) run()
  }

  /** Calls `run` when the peer is admitted: at once, as a rule. */
  onceAdmitted (run: () => void): void {
    if (this.isAdmitted) run()
    else this.#onceAdmitted.push(run)
  }

  /** hex, 40 digits */
  get id (): string { return this.wire.peerId ?? '' }

  /** it has sent at least one piece that matched its digest */
  get hasDelivered (): boolean { return this.holder.delivered > 0 }

  /** Whether either of the two peers has said so. */
  isConnectedTo (other: TaskPeer): boolean {
    return this.ext.state.neighbours.has(other.id) || other.ext.state.neighbours.has(this.id)
  }

  /** For messages: the address if known, else the peer id. */
  get name (): string { return nameOf(this.wire) }
}
