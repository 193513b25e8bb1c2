/**
 * The extension on one wire: connects codec.ts (bytes), state.ts (meaning) and outbox.ts (queue) to the wire. The owner
 * decides what follows from a result or a claim. This file closes a connection only where the specification requires
 * it. Made by index.ts.
 */
import { EventEmitter } from 'node:events'
import type { Wire } from '../../lib/base/wire.ts'
import { encodeMessages } from './codec.ts'
import type { Message } from './codec.ts'
import { EXTENSION_NAME, FLUSH_MS, MAX_VIOLATIONS, PROTOCOL_VERSION } from './constants.ts'
import { Outbox } from './outbox.ts'
import type { AttestationRecord, MemberRecord } from './attestation-records.ts'
import type { PeerEvent } from './peer-events.ts'
import type { FailureRecord } from './failure-records.ts'
import type { ResultRecord } from './record-fields.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'
import type { WireIdentity } from './signing-state.ts'
import { PeerState } from './state.ts'
import type { LocalTask } from './state.ts'
import type { Announcements, UtBitworker, UtBitworkerEvents, UtBitworkerOptions } from './types.ts'

/** @see UtBitworker */
export class Extension extends EventEmitter<UtBitworkerEvents> implements UtBitworker {
  readonly state: PeerState
  pending: (() => Announcements) | null = null
  attesting: UtBitworker['attesting'] = null
  readonly #wire: Wire
  readonly #now: () => number
  readonly #schedule: (flush: () => void, ms: number) => void
  readonly #outbox = new Outbox()
  #unsentTask: Uint8Array | undefined
  #violations = 0
  #isScheduled = false
  #flushedAt = -Infinity
  #isClosed = false

  constructor (wire: Wire, opts: UtBitworkerOptions) {
    const { task, identity, now = () => performance.now(), schedule = flushLater } = opts
    super()
    this.#wire = wire
    this.#now = now
    this.#schedule = schedule
    this.state = new PeerState(task === undefined ? {} : { localTask: task })
    this.state.signing.own = identity ?? null
    this.#writeHandshake()
    wire.once('close', () => { this.#onClose() })
    // The peer's extended handshake may already have arrived, if the application answers a handshake asynchronously.
    // Our own handshake is sent in this turn, so a microtask later is soon enough to process the peer's.
    if (this.#isSupported) queueMicrotask(() => { this.onExtendedHandshake(wire.peerExtendedHandshake) })
  }

  // A getter, because wire.use() looks for the name on the prototype, where a field would not be.
  get name (): string { return EXTENSION_NAME }

  //
  // OUTGOING
  //

  setTask (task: LocalTask): void {
    if (this.#isInactive || this.state.localTask !== undefined) return
    // Our extended handshake may have been sent without it; repeating the digest does no harm.
    this.#unsentTask = task.digest
    const events = this.state.setLocalTask(task)
    this.#writeHandshake()
    this.#sendTask()
    this.#dispatch(events)
  }

  identify (identity: WireIdentity): void {
    if (this.#isInactive || this.state.signing.own !== null) return
    this.state.signing.own = identity
    this.#writeHandshake()
  }

  #writeHandshake (): void {
    const { localTask, signing: { own } } = this.state
    this.#wire.extendedHandshake['bitworker'] = {
      v: PROTOCOL_VERSION,
      ...(localTask !== undefined && { task: localTask.digest }),
      ...(own !== null && { key: Uint8Array.from(Buffer.from(own.key, 'hex')), nonce: own.nonce, batches: 1 })
    }
  }

  prove (proof: Uint8Array): void { this.#queue(() => { this.#outbox.prove(proof) }) }

  certify (members: Iterable<MemberRecord>): void { this.#queue(() => { this.#outbox.certify(members) }) }

  attest (attestations: Iterable<AttestationRecord>): void { this.#queue(() => { this.#outbox.attest(attestations) }) }

  ask (indices: Iterable<number>): void { this.#queue(() => { this.#outbox.ask(indices) }) }

  announce (results: Iterable<ResultRecord>, haves: Iterable<number> = []): void {
    this.#queue(() => { this.#outbox.announce(results, haves) })
  }

  wake (): void { if (!this.#isInactive) this.#scheduleFlush() }

  claim (claims: Iterable<ClaimRecord>, opts?: { isBackup?: boolean }): void {
    this.#queue(() => { this.#outbox.claim(claims, this.#now(), opts) })
  }

  release (indices: Iterable<number>): void {
    this.#queue(() => { this.#outbox.release(indices) })
  }

  relay (relays: Iterable<RelayRecord>): void {
    this.#queue(() => { this.#outbox.relay(relays, this.#now()) })
  }

  withdraw (withdrawals: Iterable<WithdrawalRecord>): void {
    this.#queue(() => { this.#outbox.withdraw(withdrawals) })
  }

  setNeighbour (peerId: string, isConnected: boolean): void {
    this.#queue(() => { this.#outbox.setNeighbour(peerId, isConnected) })
  }

  seal (infoHash: string): void {
    this.#queue(() => { this.#outbox.seal(infoHash) })
  }

  giveUp (failures: Iterable<FailureRecord>): void { this.#queue(() => { this.#outbox.giveUp(failures) }) }

  #queue (add: () => void): void {
    if (this.#isInactive) return
    add()
    this.#scheduleFlush()
  }

  flush (): void {
    if (this.#isInactive || this.state.status !== 'matched') return
    const pending = this.pending?.()
    if (pending !== undefined) this.#outbox.announce(pending.results, pending.haves)
    if (this.#outbox.isEmpty) return
    const now = this.#now()
    this.#flushedAt = now
    const { message, haves } = this.#outbox.take(now)
    this.#send(this.state.prepareSend(this.#signed(message), now))
    // A piece becomes available to the peer by its bit, so the result that belongs to the bit must be sent first.
    for (const index of haves) this.#wire.have(index)
  }

  #signed (message: Message): Message {
    const { attestations = [], results } = message
    if (results !== undefined) {
      const signed = this.attesting?.(results)
      Object.assign(message, signed)
      if (signed !== undefined) attestations.push(...signed.attestations)
    }
    message.attestations = attestations.filter(({ branch }) => branch === undefined)
    message.branches = attestations.filter(({ branch }) => branch !== undefined)
    return message
  }

  close (): void {
    this.#onClose()
    this.#wire.destroy()
  }

  #scheduleFlush (): void {
    if (this.#isScheduled || this.state.status !== 'matched') return
    this.#isScheduled = true
    // the first message at once, the following ones in batches
    this.#schedule(() => {
      this.#isScheduled = false
      this.flush()
    }, Math.max(0, this.#flushedAt + FLUSH_MS - this.#now()))
  }

  #sendTask (): void {
    if (this.#unsentTask === undefined || !this.#isSupported) return
    this.#send({ task: this.#unsentTask })
    this.#unsentTask = undefined
  }

  #send (message: Message): void {
    // A peer may withdraw the extension by a later handshake; wire.extended() would throw then.
    if (!this.#isSupported) return
    for (const bytes of encodeMessages(message)) this.#wire.extended(EXTENSION_NAME, bytes)
  }

  //  INCOMING: nothing here throws, whatever the peer sent; the wire would make that an uncaught exception

  onExtendedHandshake (handshake: unknown): void {
    if (this.#isInactive) return
    this.#sendTask()
    this.#dispatch(this.state.onHandshake(handshake))
  }

  onMessage (bytes: Uint8Array): void {
    if (this.#isInactive) return
    this.#dispatch(this.state.onMessage(bytes, this.#now()))
  }

  expireClaims (): void {
    if (this.#isInactive) return
    this.#dispatch(this.state.expireClaims(this.#now()))
  }

  reportViolation (reason: string): void {
    this.#dispatch([{ type: 'violation', reason }])
  }

  #dispatch (events: PeerEvent[]): void {
    for (const event of events) {
      // A listener may have closed the connection.
      if (this.#isInactive) return
      try {
        this.#onEvent(event)
      } catch (error) {
        // A listener threw. That is a bug on this side, which must be reported, but not inside the wire's parser, which
        // would stop for good.
        queueMicrotask(() => { throw error })
      }
    }
  }

  #onEvent (event: PeerEvent): void {
    switch (event.type) {
      case 'matched': this.#onMatched(); break
      case 'mismatch': this.#onMismatch(); break
      case 'neighbours': this.emit('neighbours', event.joined, event.parted); break
      case 'key': this.emit('key'); break
      case 'proof': this.emit('proof', event.proof); break
      case 'members': this.emit('members', event.members); break
      case 'attestations': this.emit('attestations', event.attestations); break
      case 'batches': this.emit('batches', event.batches); break
      case 'asks': this.emit('asks', event.indices); break
      case 'results': this.emit('results', event.results); break
      case 'claims': this.emit('claims', event.claims); break
      case 'backups': this.emit('backups', event.backups); break
      case 'releases': this.emit('releases', event.releases); break
      case 'relays': this.emit('relays', event.relays); break
      case 'withdrawals': this.emit('withdrawals', event.withdrawals); break
      case 'sealed': this.emit('sealed', event.infoHash); break
      case 'failures': this.emit('failures', event.failures); break
      case 'violation': this.#onViolation(event.reason); break
    }
  }

  #onMatched (): void {
    this.#scheduleFlush()
    this.emit('matched')
  }

  #onMismatch (): void {
    try { this.emit('mismatch') } finally { this.close() }
  }

  #onViolation (reason: string): void {
    this.#violations++
    try { this.emit('violation', reason) } finally { if (this.#violations >= MAX_VIOLATIONS) this.close() }
  }

  #onClose (): void {
    this.#isClosed = true
    this.#outbox.clear()
    this.state.clear()
  }

  /** Whether the peer's `m` dictionary contains the extension, with an id other than 0. */
  get #isSupported (): boolean {
    return Boolean(this.#wire.peerExtendedMapping[EXTENSION_NAME])
  }

  get #isInactive (): boolean {
    return this.#isClosed || this.#wire.destroyed
  }
}

/** Runs `flush` after this turn, or after `ms` milliseconds, without keeping the process alive. */
function flushLater (flush: () => void, ms: number): void {
  if (ms <= 0) queueMicrotask(flush)
  else setTimeout(flush, ms).unref()
}
