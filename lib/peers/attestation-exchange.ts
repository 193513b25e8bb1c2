/**
 * Exchanges attestations with the connected peers: signs our results, asks for attestations that are missing, answers,
 * and passes on second opinions (docs/ut_bitworker.md, "Attestations"). What is believed is decided by the
 * verification. Owned by the session; used only where results are verified.
 */
import type { AttestationRecord, MemberRecord, ResultRecord } from '../../extensions/ut_bitworker/index.ts'
import { traceOf } from '../base/trace.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import { attestedBytes } from '../trust/attest.ts'
import { Asking } from './asking.ts'
import type { AttestOptions, AttestationExchangeHost, AttestationExchangeParts } from './attestation-parts.ts'
import { AttestationSender } from './attestation-sender.ts'
import { ClaimedBefore } from './claimed-before.ts'
import { MembersOnly } from './members-only.ts'
import { PeerKeys } from './peer-keys.ts'
import { SignatureQueues } from './signature-queue.ts'
import { Statements } from './statements.ts'
import type { TaskPeer } from './task-peer.ts'

const trace = traceOf('claims')

/** Pieces that are looked at, at a time, to find more to ask a peer for. */
const MAX_LOOKS = 20_000
const LOOK_MS = 20

/** What there is with one connected peer that has told its key and works on the same task. */
interface Dealings {
  readonly claims: ClaimedBefore
  /** where to look for further pieces to ask it for; null: nowhere */
  cursor: number | null
}

/** The attestations of one task. */
export class AttestationExchange {
  readonly #parts: AttestationExchangeParts
  readonly #host: AttestationExchangeHost
  /** null: not open yet */
  #statements: Statements | null = null
  readonly #peers = new Set<TaskPeer>()
  readonly #keys: PeerKeys
  readonly #dealings = new Map<TaskPeer, Dealings>()
  readonly #queues: SignatureQueues
  readonly #asking: Asking<TaskPeer>
  readonly #sender: AttestationSender
  /** null: all peers are served */
  readonly #membersOnly: MembersOnly | null

  constructor (parts: AttestationExchangeParts, host: AttestationExchangeHost) {
    this.#parts = parts
    this.#host = host
    this.#queues = new SignatureQueues(parts.clock)
    this.#keys = new PeerKeys(parts)
    const gate = new MembersOnly(parts.clock, {
      isMember: peer => parts.verification.isMember(this.#keys.of(peer) ?? ''),
      refused: (peer, reason) => { parts.refuse?.(peer, reason) }
    })
    this.#membersOnly = parts.refuse === undefined ? null : gate
    this.#sender = new AttestationSender(parts.clock, {
      choose: index => this.#statements?.choose(
        index, parts.results.own(index), key => parts.verification.isMember(key)
      ) ?? [],
      vouch: (peer, key) => { this.#keys.vouch(peer, key) }
    })
    this.#asking = new Asking(parts.clock, {
      ask: (peer, indices) => { peer.ext.ask(indices) },
      another: (index, not) => this.#holderOf(index, not),
      ended: index => { host.attestationEnded(index) },
      unasked: (peer, index) => { this.#askLater(peer, index) },
      drained: peer => { this.#askMore(peer) }
    })
  }

  /**
   * Begins: tells the verification what earlier runs have heard, and proves our key to the peers. To be called once,
   * when the verification has taken back what it saved. Throws what `openLog` throws.
   */
  open (): void {
    this.#statements = new Statements({ ...this.#parts, log: this.#parts.openLog() })
    this.retell()
    this.#membersOnly?.open()
    for (const peer of this.#peers) this.#open(peer)
  }

  /** Tells the verification all that is known. */
  retell (): void {
    const { verification, signer, trustedKeys } = this.#parts
    for (const { key, trustedKey } of this.#keys.members()) {
      if (trustedKeys.has(trustedKey)) verification.setMember(key, trustedKey)
    }
    for (const { key, index, size, digest, kind } of this.#statements?.all() ?? []) {
      if (key !== signer.key) verification.attested({ index, result: { size, digest }, key, kind })
    }
  }

  /**
   * Listens to a peer. To be called before anybody else listens to its results, so that they are judged by what is
   * attested.
   */
  add (peer: TaskPeer): void {
    const { ext } = peer
    this.#peers.add(peer)
    this.#membersOnly?.add(peer)
    ext.on('key', () => { this.#open(peer) })
    ext.on('matched', () => { this.#open(peer) })
    ext.on('proof', () => { this.#onProof(peer) })
    ext.on('members', members => { for (const member of members) this.#onMember(peer, member) })
    ext.on('attestations', records => { for (const record of records) this.#onAttestation(peer, record) })
    ext.on('results', records => { for (const record of records) this.#onResult(peer, record) })
    ext.on('asks', indices => { this.#sender.asked(peer, indices) })
    for (const event of ['claims', 'backups'] as const) {
      ext.on(event, claims => { for (const { index } of claims) this.#dealings.get(peer)?.claims.claimed(index) })
    }
    this.#open(peer)
  }

  /** The peer has disconnected. */
  remove (peer: TaskPeer): void {
    this.#peers.delete(peer)
    this.#membersOnly?.remove(peer)
    this.#dealings.delete(peer)
    this.#sender.remove(peer)
    this.#keys.remove(peer)
    this.#queues.remove(peer)
    this.#asking.remove(peer)
  }

  close (): void {
    this.#membersOnly?.close()
    this.#sender.close()
    this.#asking.close()
    this.#queues.close()
  }

  /** The key that the peer has proved to have, 64 hex digits; null: none. */
  keyOf (peer: TaskPeer): string | null { return this.#keys.of(peer) }

  /** Whether an attestation of the piece is expected soon: the piece counts as claimed until `attestationEnded`. */
  isAwaited (index: number): boolean { return this.#asking.isAwaited(index) }

  /** The connected peers that have proved this key are banned. */
  exclude (key: string, reason: string): void {
    for (const peer of this.#keys.owners(key)) this.#host.misbehaved(peer, reason, true)
  }

  //
  // OUTGOING
  //

  /**
   * Signs that a command of ours gave this result, or found it right. To be called before the piece is announced: its
   * attestation is sent before its result. Returns false if nothing was signed: we have attested another result of the
   * piece, so that this one may not be, ever; or the statement cannot be written to disk, or not yet (`open`).
   */
  attest (index: number, { size, digest }: Result, { kind = 0, isCheck = false }: AttestOptions = {}): boolean {
    const record = this.#statements?.sign({ index, size, digest, kind, basis: null }) ?? null
    if (record === null) return false
    if (isCheck) this.#sender.passOn(record, null)
    return true
  }

  #open (peer: TaskPeer): void {
    const { ext } = peer
    const { signing, status } = ext.state
    if (this.#statements === null || status !== 'matched' || this.#dealings.has(peer)) return
    if (signing.own === null || signing.peer === null) return
    const { clock, task } = this.#parts
    const claims = new ClaimedBefore(task.pieceCount, clock.now())
    for (const index of ext.state.claims.keys()) claims.claimed(index)
    // what it has announced already is asked for as well
    this.#dealings.set(peer, { claims, cursor: 0 })
    this.#sender.add(peer)
    this.#keys.introduce(peer)
    ext.attesting = results => this.#attestationsOf(peer, results)
    this.#onProof(peer)
    for (const member of signing.members) this.#onMember(peer, member)
    this.#askMore(peer)
  }

  /** Our attestations of results that are about to be sent to the peer, as many as the limits allow. */
  #attestationsOf (peer: TaskPeer, results: readonly ResultRecord[]): AttestationRecord[] {
    const records: AttestationRecord[] = []
    for (const result of results) {
      const own = this.#statements?.own(result.index)
      if (own === undefined || !sameResult(own, result)) continue
      if (!this.#sender.take(peer)) break
      records.push(own)
    }
    return records
  }

  //
  // INCOMING
  //

  /** At once, as what follows depends on it: the third wrong signature closes the connection. */
  #onProof (peer: TaskPeer): void {
    const { proof } = peer.ext.state.signing
    if (proof === null || !this.#dealings.has(peer)) return
    const key = this.#keys.prove(peer, proof)
    if (key === null) return peer.ext.reportViolation('a wrong proof of its key')
    if (this.#parts.verification.isExcluded(key)) return this.exclude(key, `its key ${key} is excluded`)
    this.#raiseLimits(key)
    this.#membersOnly?.look()
    this.#host.proved?.(peer, key)
  }

  #onMember (peer: TaskPeer, member: MemberRecord): void {
    if (!this.#keys.isNews(member) || !this.#dealings.has(peer)) return
    if (!this.#keys.certify(member)) return peer.ext.reportViolation('a wrong certificate')
    this.#parts.verification.setMember(member.key, member.trustedKey)
    this.#raiseLimits(member.key)
    this.#membersOnly?.look()
  }

  #raiseLimits (key: string): void {
    for (const peer of this.#parts.verification.isMember(key) ? this.#keys.owners(key) : []) {
      peer.ext.state.signing.setMember()
      if (this.#keys.isFellow(key)) this.#sender.setFellow(peer)
    }
  }

  #onAttestation (peer: TaskPeer, record: AttestationRecord): void {
    const { index, key } = record
    const { signer, verification, isSignature, task } = this.#parts
    const statements = this.#statements
    if (statements === null || key === signer.key || verification.isExcluded(key)) return
    if (statements.has(record)) return this.#asking.answered(index, peer)
    const { unchecked } = statements
    const isFirstHand = this.#claimedBefore(key, index)
    unchecked.add(index)
    this.#check(peer, () => {
      unchecked.delete(index)
      if (isSignature(key, attestedBytes(task.digest, record), record.signature)) {
        this.#heard(statements, peer, record, isFirstHand)
      } else peer.ext.reportViolation(`an attestation of piece ${index} with a wrong signature`)
    }, () => {
      unchecked.delete(index)
      this.#ask(peer, index, record)
    })
  }

  #heard (statements: Statements, peer: TaskPeer, record: AttestationRecord, isFirstHand: boolean): void {
    const { index, size, digest, key, kind } = record
    const { verification } = this.#parts
    const before = statements.count(index)
    const news = verification.attested({ index, result: { size, digest }, key, kind, isFirstHand })
    trace('piece %d is attested by %s: %s', index, key, news)
    if (news === 'new' && statements.add(record) && (before === 1 || before === 2 || verification.isMember(key))) {
      this.#sender.passOn(record, peer)
    }
    this.#asking.answered(index, peer)
  }

  /** False if the key's owner is connected, and has not claimed the piece. */
  #claimedBefore (key: string, index: number): boolean {
    const now = this.#parts.clock.now()
    const [owner] = this.#keys.owners(key)
    return owner === undefined || this.#dealings.get(owner)!.claims.has(index, now)
  }

  /** Asks for the attestation of a result that may be of use, or that contradicts ours. */
  #onResult (peer: TaskPeer, record: ResultRecord): void {
    this.#dealings.get(peer)?.claims.announced(record.index, this.#parts.clock.now())
    this.#ask(peer, record.index, record)
  }

  #ask (peer: TaskPeer, index: number, result: Result): void {
    if (!this.#dealings.has(peer) || !this.#isOfUse(index, result)) return
    if (!this.#asking.want(peer, index)) this.#askLater(peer, index)
  }

  #askLater (peer: TaskPeer, index: number): void {
    const dealings = this.#dealings.get(peer)
    if (dealings !== undefined) dealings.cursor = Math.min(dealings.cursor ?? Infinity, index)
  }

  /** The peer can be asked for what it announced when there was no room for it. */
  #askMore (peer: TaskPeer): void {
    const dealings = this.#dealings.get(peer)
    if (dealings?.cursor == null) return
    const { pieceCount } = this.#parts.task
    const end = Math.min(pieceCount, dealings.cursor + MAX_LOOKS)
    for (let index = dealings.cursor; index < end; index++) {
      dealings.cursor = index
      const result = peer.results.result(index)
      if (result !== undefined && this.#isOfUse(index, result) && !this.#asking.want(peer, index)) return
    }
    dealings.cursor = end < pieceCount ? end : null
    if (dealings.cursor !== null) this.#parts.clock.after(LOOK_MS, () => { this.#askMore(peer) }, { unref: true })
  }

  #isOfUse (index: number, result: Result): boolean {
    const statements = this.#statements
    if (statements === null || statements.unchecked.has(index) || this.#asking.isAwaited(index)) return false
    const own = this.#parts.results.own(index)
    if (own === undefined ? !this.#host.wantsAttestation(index) : sameResult(own, result)) return false
    if (!statements.isAttested(index, result)) return true
    // it takes more to be accepted than was heard, such as another key
    return own === undefined && !this.#parts.verification.accepts(index, result)
  }

  /** A member that can be asked, if there is one: what the others say need not be of use. */
  #holderOf (index: number, not: TaskPeer): TaskPeer | undefined {
    let holder: TaskPeer | undefined
    for (const peer of this.#dealings.keys()) {
      const result = peer === not ? undefined : peer.results.result(index)
      if (result === undefined || !this.#isOfUse(index, result)) continue
      if (this.#parts.verification.isMember(this.#keys.of(peer) ?? '')) return peer
      holder ??= peer
    }
    return holder
  }

  /** Checks a signature when it is the peer's turn; `drop` instead if there is no room or the peer has left. */
  #check (peer: TaskPeer, run: () => void, drop: () => void = () => {}): void {
    if (!this.#dealings.has(peer)) return drop()
    this.#queues.of(peer.ext.state.signing).add(peer, { run: () => { (peer.wire.destroyed ? drop : run)() }, drop })
  }
}
