/**
 * Exchanges claims with the connected peers: announces ours, maintains the scheduler's table of theirs, decides who
 * yields when two peers compute the same piece, and relays claims. Called by neighbours.ts, which knows the peers.
 */
import { MAX_CLAIMS, MAX_RELAYS } from '../../extensions/ut_bitworker/constants.ts'
import { keepsClaim } from '../../extensions/ut_bitworker/index.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { hexOf } from '../base/digest.ts'
import { traceOf } from '../base/trace.ts'
import type { Claim } from '../scheduling/claim.ts'
import { ClaimSource } from '../scheduling/claimants.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import { ClaimRelay } from './claim-relay.ts'
import type { TaskPeer } from './task-peer.ts'

const trace = traceOf('claims')

/** Pieces that a peer may take over from us before it has delivered them. */
const MAX_OWED = 8
/**
 * The same for all peers together that never delivered a piece: a new swarm consists of strangers only. One more is
 * allowed in each round of `tidy`.
 */
const MAX_STRANGER_YIELDS = 64

/** The parts that the exchange uses. */
export interface ClaimExchangeParts {
  readonly scheduler: Scheduler
  readonly clock: Clock
  /** our own, 20 bytes */
  readonly peerId: Uint8Array
}

/** Callbacks of the exchange's owner. */
export interface ClaimExchangeHost {
  /** our running claims or backups, for a new peer */
  claims (opts: { isBackup: boolean }): ClaimRecord[]
  /** another peer's claim wins against ours for a piece that we are computing */
  yield (index: number, other: Claim): void
}

/** The state of the exchange with one connected peer. */
interface Dealings {
  /** its own claims */
  readonly claims: ClaimSource
  /** the claims that it relays */
  readonly relays: ClaimSource
  /** the peers that it is connected to (hex peer ids); stored here because a closed connection forgets them */
  readonly neighbours: Set<string>
  /** pieces that we left to it because of its claim, and that it does not have yet */
  readonly owed: Set<number>
}

/** The claims of one task's peers. */
export class ClaimExchange {
  readonly #scheduler: Scheduler
  readonly #peerId: Uint8Array
  readonly #host: ClaimExchangeHost
  readonly #relay: ClaimRelay
  readonly #dealings = new Map<TaskPeer, Dealings>()
  /** by peer that we are not connected to: how many peers name it. Only named peers count as alive */
  readonly #distant = new Map<string, number>()
  /** the connected, matched peers */
  readonly #peers = new Map<string, TaskPeer>()
  /** pieces left recently to peers that never delivered one */
  #strangerYields = 0

  constructor ({ scheduler, clock, peerId }: ClaimExchangeParts, host: ClaimExchangeHost) {
    this.#scheduler = scheduler
    this.#peerId = peerId
    this.#host = host
    this.#relay = new ClaimRelay(clock)
  }

  /** Listens to a peer. */
  add (peer: TaskPeer): void {
    const { ext } = peer
    this.#dealings.set(peer, {
      claims: new ClaimSource({ limit: MAX_CLAIMS }),
      relays: new ClaimSource({ limit: MAX_RELAYS, kind: 'relay' }),
      neighbours: new Set(),
      owed: new Set()
    })
    if (ext.state.status === 'matched') this.#onMatched(peer)
    else ext.on('matched', () => { this.#onMatched(peer) })
    ext.on('neighbours', (joined, parted) => { this.#onNeighbours(peer, joined, parted) })
    ext.on('claims', claims => { this.#onClaims(peer, claims, false) })
    ext.on('backups', backups => { this.#onClaims(peer, backups, true) })
    ext.on('releases', indices => { this.#onReleases(peer, indices) })
    ext.on('relays', relays => { this.#onRelays(peer, relays) })
    ext.on('withdrawals', withdrawals => { this.#onWithdrawals(peer, withdrawals) })
  }

  /** The peer has disconnected: removes its claims, and those that it relayed. */
  remove (peer: TaskPeer): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    for (const source of [dealings.claims, dealings.relays]) this.#scheduler.claims.removeSource(source)
    this.#partFrom(dealings, dealings.neighbours)
    this.#dealings.delete(peer)
    if (this.#peers.get(peer.id) !== peer) return
    this.#peers.delete(peer.id)
    this.#relay.leave(peer)
    if (!this.#distant.has(peer.id)) this.#scheduler.setMember(peer.id, false)
  }

  close (): void { this.#relay.close() }

  //
  // OUTGOING
  //

  /** Sends our claims to all peers, before the work items start. */
  claim (claims: ClaimRecord[], opts: { isBackup: boolean }): void {
    trace('%s to %d peers: %o', opts.isBackup ? 'backups' : 'claims', this.#peers.size, claims)
    for (const peer of this.#peers.values()) this.#send(peer, claims, opts)
  }

  release (indices: number[]): void {
    trace('releases to %d peers: %o', this.#peers.size, indices)
    for (const { ext } of this.#peers.values()) ext.release(indices)
  }

  /** Sends a peer that has just matched all running claims. */
  sendSnapshot (peer: TaskPeer): void {
    for (const isBackup of [false, true]) this.#send(peer, this.#host.claims({ isBackup }), { isBackup })
  }

  #send (peer: TaskPeer, claims: ClaimRecord[], opts: { isBackup: boolean }): void {
    peer.ext.claim(claims, opts)
    // in this turn, not with the next batch: the work item is about to start
    peer.ext.flush()
    if (opts.isBackup) return
    for (const { index } of claims) {
      this.#yieldIfLost(peer, index)
      for (const relay of peer.ext.state.relays.of(index)) this.#yieldToRelay(peer, relay)
    }
  }

  //
  // INCOMING
  //

  /** The peer announced results, which end its claims for these pieces. */
  fulfil (peer: TaskPeer, indices: number[]): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    this.#scheduler.claims.fulfil(dealings.claims, indices)
    this.#relay.ended(peer, indices, { withResult: true })
  }

  /** The peer sent a piece that matched its digest. */
  delivered (peer: TaskPeer): void {
    const dealings = this.#dealings.get(peer) // undefined if it has disconnected in the meantime
    this.#scheduler.claims.delivered(peer.id, dealings === undefined ? [] : [dealings.claims, dealings.relays])
  }

  /** The peer has the piece: if it took it over from us, the debt is paid. */
  settled (peer: TaskPeer, index: number): void { this.#dealings.get(peer)?.owed.delete(index) }

  /** To be called every few seconds. */
  tidy (): void { this.#strangerYields = Math.max(0, this.#strangerYields - 1) }

  #onMatched (peer: TaskPeer): void {
    this.#peers.set(peer.id, peer)
    this.#scheduler.setMember(peer.id, true)
    this.#relay.join(peer)
  }

  #onNeighbours (peer: TaskPeer, joined: string[], parted: string[]): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    for (const id of joined) {
      dealings.neighbours.add(id)
      this.#count(id, 1)
    }
    this.#partFrom(dealings, parted)
  }

  #partFrom ({ neighbours }: Dealings, parted: Iterable<string>): void {
    for (const id of parted) if (neighbours.delete(id)) this.#count(id, -1)
  }

  #count (id: string, step: number): void {
    const count = (this.#distant.get(id) ?? 0) + step
    if (count > 0) this.#distant.set(id, count)
    else this.#distant.delete(id)
    this.#scheduler.setMember(id, count > 0 || this.#peers.has(id))
  }

  #onClaims (peer: TaskPeer, claims: ClaimRecord[], isBackup: boolean): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    trace('%s of %s: %o', isBackup ? 'backups' : 'claims', peer.name, claims)
    for (const claim of claims) {
      this.#scheduler.claims.add(dealings.claims, peer.id, { ...claim, isBackup })
      this.#yieldIfLost(peer, claim.index)
    }
    // relays only claims that we believe, because others would believe us
    this.#relay.claimed(peer, claims.filter(({ index }) => this.#scheduler.claims.isRespected(peer.id, index)))
  }

  #onReleases (peer: TaskPeer, indices: number[]): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    trace('releases of %s: %o', peer.name, indices)
    for (const index of indices) this.#scheduler.claims.abandon(dealings.claims, peer.id, index)
    this.#relay.ended(peer, indices, { withResult: false })
  }

  #onRelays (peer: TaskPeer, relays: RelayRecord[]): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    for (const relay of relays) {
      if (!this.#isDistant(relay.peerId)) continue
      this.#scheduler.claims.add(dealings.relays, relay.peerId, relay)
      this.#yieldToRelay(peer, relay)
    }
  }

  #onWithdrawals (peer: TaskPeer, withdrawals: WithdrawalRecord[]): void {
    const dealings = this.#dealings.get(peer)
    if (dealings === undefined) return
    for (const { index, peerId } of withdrawals) this.#scheduler.claims.remove(dealings.relays, peerId, index)
  }

  /** True for a peer that is neither ourselves nor a neighbour, whose own messages we receive. */
  #isDistant (peerId: string): boolean {
    return !this.#peers.has(peerId) && peerId !== hexOf(this.#peerId)
  }

  /** Of two claims for one piece, one yields. Decided as soon as both sides know both claims. */
  #yieldIfLost (peer: TaskPeer, index: number): void {
    const received = peer.ext.state.claims.get(index)
    if (received === undefined || received.isBackup) return
    this.#yieldTo(peer, { index, peerId: peer.id, firstElapsedMs: received.firstElapsedMs })
  }

  /** The peer that relayed both claims to the other side has the numbers that both compare. */
  #yieldToRelay (peer: TaskPeer, relay: RelayRecord): void {
    if (!relay.isBackup && this.#isDistant(relay.peerId)) this.#yieldTo(peer, relay)
  }

  #yieldTo (
    peer: TaskPeer, { index, peerId, firstElapsedMs }: { index: number, peerId: string, firstElapsedMs: number }
  ): void {
    const sent = peer.ext.state.sentClaims.get(index)
    if (sent === undefined || sent.isBackup || !this.#scheduler.claims.isRespected(peerId, index)) return
    const isOurs = keepsClaim({
      index,
      localElapsedMs: sent.firstElapsedMs,
      remoteElapsedMs: firstElapsedMs,
      localPeerId: this.#peerId,
      remotePeerId: Buffer.from(peerId, 'hex')
    })
    trace('piece %d is claimed by %s and by us: %s', index, peerId, isOurs ? 'ours goes first' : 'theirs goes first')
    if (!isOurs && this.#mayYield(peer, index)) this.#host.yield(index, this.#scheduler.claims.get(peerId, index)!)
  }

  /**
   * A peer that takes over pieces and does not deliver them soon has no credit left: claims alone must not stop our
   * work.
   */
  #mayYield (peer: TaskPeer, index: number): boolean {
    const owed = this.#dealings.get(peer)?.owed
    if (owed === undefined || owed.size >= MAX_OWED) return false
    if (!peer.hasDelivered && ++this.#strangerYields > MAX_STRANGER_YIELDS) return false
    // of what it has, nothing is delivered any more: it computes that to compare
    if (peer.results.result(index) === undefined) owed.add(index)
    return true
  }
}
