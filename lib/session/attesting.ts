/**
 * The exchange of attestations of one session: made when results are verified for the first time, and kept when another
 * verification takes the place of that one. Owned by believing.ts.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Verification } from '../verification/verification.ts'
import type { AttestationHost, Attestations, Verifying } from './attestations.ts'
import type { BelievingParts } from './believing-parts.ts'

/** Callbacks of the owner. */
export interface AttestingHost extends Pick<AttestationHost, 'misbehaved'> {
  /** tells the verification something, and does what follows; null: nothing is verified (any more) */
  tell<T> (tell: (verification: Verification) => T): T | null
  /** null: nothing is verified (any more) */
  verification (): Verification | null
  /** something may be computed */
  run (): void
}

/** What is attested, by us and by the peers of one task. */
export class Attesting {
  readonly #parts: Pick<BelievingParts, 'results' | 'scheduler'>
  readonly #host: AttestingHost
  readonly #peers = new Set<TaskPeer>()
  /** null: nothing was verified so far */
  #exchange: Attestations | null = null
  #isOpen = false

  constructor (parts: Pick<BelievingParts, 'results' | 'scheduler'>, host: AttestingHost) {
    this.#parts = parts
    this.#host = host
  }

  /** Results are verified from now on. */
  begin (verifying: Verifying): void {
    if (this.#exchange !== null) return
    this.#exchange = this.#create(verifying)
    for (const peer of this.#peers) this.#exchange.add(peer)
  }

  /** Tells the verification what is known; the first time, what earlier runs have heard. */
  tellAll (): void {
    if (this.#isOpen) return this.#exchange?.retell()
    this.#isOpen = this.#exchange !== null
    this.#exchange?.open()
  }

  add (peer: TaskPeer): void {
    this.#peers.add(peer)
    this.#exchange?.add(peer)
  }

  remove (peer: TaskPeer): void {
    this.#peers.delete(peer)
    this.#exchange?.remove(peer)
  }

  attest (...args: Parameters<Attestations['attest']>): void { this.#exchange?.attest(...args) }

  isAwaited (index: number): boolean { return this.#exchange?.isAwaited(index) === true }

  exclude (key: string, reason: string): void { this.#exchange?.exclude(key, reason) }

  close (): void { this.#exchange?.close() }

  #create (verifying: Verifying): Attestations {
    const { results, scheduler } = this.#parts
    const host = this.#host
    return verifying.createAttestations({
      results,
      verification: {
        accepts: (index, result) => host.verification()?.accepts(index, result) ?? true,
        attested: statement => host.tell(verification => verification.attested(statement)) ?? 'refused',
        setMember: (key, trustedKey) => { host.tell(verification => { verification.setMember(key, trustedKey) }) },
        isMember: key => host.verification()?.isMember(key) === true,
        isExcluded: key => host.verification()?.isExcluded(key) === true,
        statementsOf: index => host.verification()?.statementsOf(index) ?? []
      }
    }, {
      wantsAttestation: index => scheduler.isMissing(index) && scheduler.isWanted(index),
      attestationEnded: index => {
        scheduler.checks.setAsked(index, false)
        host.run()
      },
      misbehaved: (peer, reason, isFinal) => { host.misbehaved(peer, reason, isFinal) }
    })
  }
}
