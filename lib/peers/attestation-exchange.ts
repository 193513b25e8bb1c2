/**
 * Exchanges attestations with the connected peers: signs our results, asks for attestations that are missing, answers,
 * and passes on second opinions (docs/ut_bitworker.md, "Attestations"). What is believed is decided by the
 * verification. Owned by the session; used only where results are verified.
 */
import type { AttestationRecord, MemberRecord, ReceivedBatch, ResultRecord } from '../../extensions/ut_bitworker/index.ts'
import { traceOf } from '../base/trace.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import { Asking } from './asking.ts'
import { AttestationChecks } from './attestation-checks.ts'
import type { Outcome } from './attestation-checks.ts'
import type { AttestOptions, AttestationExchangeHost, AttestationExchangeParts } from './attestation-parts.ts'
import { AttestationSender } from './attestation-sender.ts'
import { ClaimedBefore } from './claimed-before.ts'
import { MembersOnly } from './members-only.ts'
import { PeerKeys } from './peer-keys.ts'
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
  readonly #checks: AttestationChecks
  readonly #asking: Asking<TaskPeer>
  readonly #sender: AttestationSender
  /** null: all peers are served */
  readonly #membersOnly: MembersOnly | null

  constructor (parts: AttestationExchangeParts, host: AttestationExchangeHost) {
    this.#parts = parts
    this.#host = host
    this.#checks = new AttestationChecks(parts)
    this.#keys = new PeerKeys(parts)
    const gate = new MembersOnly(parts.clock, {
      isMember: peer => parts.verification.isMember(this.#keys.of(peer) ?? ''),
      refused: (peer, reason) => { parts.refuse?.(peer, reason) }
    })
    this.#membersOnly = parts.refuse === undefined ? null : gate
    this.#sender = new AttestationSender(parts.clock, {
      statements: () => this.#statements,
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
    ext.on('batches', batches => { for (const batch of batches) this.#onBatch(peer, batch) })
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
    this.#checks.remove(peer)
    this.#asking.remove(peer)
  }

  close (): void {
    this.#membersOnly?.close()
    this.#sender.close()
    this.#asking.close()
    this.#checks.close()
    this.#statements?.signPending()
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
   * attestation is sent before its result. What is announced together is signed together, when it is sent. Returns
   * false if it is not signed: we have attested another result of the piece, so that this one may not be, ever; or it
   * cannot be written to disk, or not yet (`open`).
   */
  attest (index: number, { size, digest }: Result, { kind = 0, isCheck = false }: AttestOptions = {}): boolean {
    const statement = { index, size, digest, kind, basis: null }
    if (kind === 0 && !isCheck) return this.#statements?.signLater(statement) === true
    const record = this.#statements?.sign(statement)
    if (record != null && isCheck) this.#sender.passOn(record, null)
    return record != null
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
    ext.attesting = results => this.#sender.signed(peer, results)
    this.#onProof(peer)
    for (const member of signing.members) this.#onMember(peer, member)
    this.#askMore(peer)
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
    const statements = this.#listening(peer, key)
    // what is not listened to, or is known, is an answer, too
    if (statements === null || statements.has(record)) return this.#asking.answered(index, peer)
    this.#checks.one(peer, record, this.#outcome(statements, peer, key, [record]))
  }

  #onBatch (peer: TaskPeer, batch: ReceivedBatch): void {
    const { key = '' } = peer.ext.state.signing.peer ?? {}
    const statements = this.#listening(peer, key)
    if (statements === null || batch.results.every(result => statements.has({ ...result, key }))) return
    this.#checks.batch(peer, batch, key, this.#outcome(statements, peer, key, batch.results))
  }

  /** What is known, if the peer is listened to, and what the key says is news. */
  #listening (peer: TaskPeer, key: string): Statements | null {
    const { signer, verification } = this.#parts
    return !this.#dealings.has(peer) || key === signer.key || verification.isExcluded(key) ? null : this.#statements
  }

  #outcome (statements: Statements, peer: TaskPeer, key: string, results: readonly ResultRecord[]): Outcome {
    const firstHand = new Set(results.filter(({ index }) => this.#claimedBefore(key, index)).map(({ index }) => index))
    return {
      right: records => { this.#heard(statements, peer, records, firstHand) },
      wrong: () => { peer.ext.reportViolation(`a wrong signature of what it attests of piece ${results[0]!.index}`) },
      dropped: () => { for (const result of results) this.#ask(peer, result.index, result) }
    }
  }

  #heard (statements: Statements, peer: TaskPeer, records: readonly AttestationRecord[], firstHand: Set<number>): void {
    const { verification } = this.#parts
    const news = records.filter(({ index, size, digest, key, kind }) => {
      const isFirstHand = firstHand.has(index)
      const said = verification.attested({ index, result: { size, digest }, key, kind, isFirstHand })
      trace('piece %d is attested by %s: %s', index, key, said)
      return said === 'new'
    })
    const disputed = new Set(news.filter(({ index }) => [1, 2].includes(statements.count(index))))
    for (const record of statements.add(news)) {
      if (disputed.has(record) || verification.isMember(record.key)) this.#sender.passOn(record, peer)
    }
    for (const { index } of records) this.#asking.answered(index, peer)
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
    if (statements === null || this.#checks.isWaiting(index) || this.#asking.isAwaited(index)) return false
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
}
