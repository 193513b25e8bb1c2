/**
 * Records who is connected to whom, and relays claims by one hop: a peer receives the claims of its neighbours'
 * neighbours, with which it would otherwise collide (docs/ut_bitworker.md, "Relayed claims"). In a fully connected
 * swarm, nothing is relayed. Called by claim-exchange.ts.
 */
import type { RelayRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from './task-peer.ts'

/** Claims wait this long, so that several share a message. A claim that has ended by then is never relayed. */
const RELAY_MS = 250
/** Shorter work is finished before its claim has been relayed. */
const MIN_ESTIMATE_MS = 2 * RELAY_MS

/** The claims of one peer: those that wait to be relayed, and those that were relayed. */
interface Relayed { readonly waiting: Set<number>, readonly told: Set<number> }

/** The relays of one task. */
export class ClaimRelay {
  readonly #clock: Clock
  readonly #claimants = new Map<TaskPeer, Relayed>()
  #cancelFlush: (() => void) | null = null

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** The peer has matched: exchanges neighbours and claims between it and all others. */
  join (peer: TaskPeer): void {
    this.#claimants.set(peer, { waiting: new Set(), told: new Set() })
    for (const other of this.#others(peer)) {
      other.ext.setNeighbour(peer.id, true)
      peer.ext.setNeighbour(other.id, true)
      this.#relay(other, this.#claimants.get(other)!.told, [peer])
    }
  }

  /** The peer has disconnected: withdraws its claims. */
  leave (peer: TaskPeer): void {
    const relayed = this.#claimants.get(peer)
    if (relayed === undefined) return
    const withdrawals = Array.from(relayed.told, index => ({ index, peerId: peer.id }))
    this.#claimants.delete(peer)
    for (const other of this.#claimants.keys()) {
      other.ext.setNeighbour(peer.id, false)
      if (withdrawals.length > 0) other.ext.withdraw(withdrawals)
    }
  }

  /** The peer made or renewed claims. */
  claimed (peer: TaskPeer, claims: Iterable<{ index: number, estimateMs: number }>): void {
    const relayed = this.#claimants.get(peer)
    if (relayed === undefined || this.#claimants.size < 2) return
    for (const { index, estimateMs } of claims) {
      if (estimateMs === 0 || estimateMs >= MIN_ESTIMATE_MS) relayed.waiting.add(index)
    }
    if (relayed.waiting.size > 0) this.#cancelFlush ??= this.#clock.after(RELAY_MS, () => { this.#flush() })
  }

  /** Claims of the peer ended: with a result, which is announced separately, or without one. */
  ended (peer: TaskPeer, indices: readonly number[], { withResult }: { withResult: boolean }): void {
    const relayed = this.#claimants.get(peer)
    if (relayed === undefined) return
    // there are many results and few claims
    for (const index of relayed.waiting) if (indices.includes(index)) relayed.waiting.delete(index)
    const told = [...relayed.told].filter(index => indices.includes(index))
    for (const index of told) relayed.told.delete(index)
    if (withResult || told.length === 0) return
    const withdrawals = told.map(index => ({ index, peerId: peer.id }))
    for (const other of this.#strangersTo(peer, this.#others(peer))) other.ext.withdraw(withdrawals)
  }

  close (): void { this.#cancelFlush?.() }

  #flush (): void {
    this.#cancelFlush = null
    for (const [peer, { waiting, told }] of this.#claimants) {
      this.#relay(peer, waiting, this.#others(peer))
      for (const index of waiting) told.add(index)
      waiting.clear()
    }
  }

  #relay (claimant: TaskPeer, indices: ReadonlySet<number>, listeners: Iterable<TaskPeer>): void {
    if (indices.size === 0) return
    const strangers = [...this.#strangersTo(claimant, listeners)]
    if (strangers.length === 0) return
    const relays = [...relaysOf(claimant, indices, this.#clock.now())]
    for (const stranger of strangers) stranger.ext.relay(relays)
  }

  /** Yields the listeners that are not connected to the peer itself. */
  * #strangersTo (peer: TaskPeer, listeners: Iterable<TaskPeer>): Generator<TaskPeer> {
    for (const other of listeners) if (!other.isConnectedTo(peer)) yield other
  }

  * #others (peer: TaskPeer): Generator<TaskPeer> {
    for (const other of this.#claimants.keys()) if (other !== peer) yield other
  }
}

function * relaysOf ({ id: peerId, ext }: TaskPeer, indices: Iterable<number>, now: number): Generator<RelayRecord> {
  for (const index of indices) {
    const claim = ext.state.claims.get(index)
    if (claim === undefined) continue
    const { elapsedMs, estimateMs, firstElapsedMs, isBackup, receivedAt } = claim
    yield { index, elapsedMs: elapsedMs + now - receivedAt, estimateMs, firstElapsedMs, isBackup, peerId }
  }
}
