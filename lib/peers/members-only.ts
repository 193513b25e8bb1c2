/**
 * Refuses peers that are no members of a trusted key (docs/verification.md, "Members only"): nothing is exchanged with
 * a peer but keys and certificates until it has shown that it is one. Called by attestation-exchange.ts.
 */
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from './task-peer.ts'

/** Time for a peer to show that it is a member. */
const PROOF_MS = 10_000

/** What the gate asks, and tells. */
export interface MembersOnlyHost {
  /** it has proved a key, for which there is a certificate by a trusted key */
  isMember (peer: TaskPeer): boolean
  /** it has not shown that it is a member: its connection is to be closed */
  refused (peer: TaskPeer, reason: string): void
}

/** The peers of one task that are not known to be members. */
export class MembersOnly {
  readonly #clock: Clock
  readonly #host: MembersOnlyHost
  /** with what cancels the refusal; null: we cannot check proofs yet */
  readonly #waiting = new Map<TaskPeer, (() => void) | null>()
  #isOpen = false

  constructor (clock: Clock, host: MembersOnlyHost) {
    this.#clock = clock
    this.#host = host
  }

  /** Proofs are checked from now on. */
  open (): void {
    this.#isOpen = true
    for (const peer of this.#waiting.keys()) this.add(peer)
  }

  /** A peer has joined. */
  add (peer: TaskPeer): void {
    peer.hold()
    const refuse = (): void => { this.#refuse(peer) }
    this.#waiting.set(peer, this.#isOpen ? this.#clock.after(PROOF_MS, refuse, { unref: true }) : null)
  }

  /** A key was proved, or a certificate shown. */
  look (): void {
    for (const peer of this.#waiting.keys()) {
      if (!this.#host.isMember(peer)) continue
      this.remove(peer)
      peer.admit()
    }
  }

  remove (peer: TaskPeer): void {
    this.#waiting.get(peer)?.()
    this.#waiting.delete(peer)
  }

  close (): void { for (const peer of this.#waiting.keys()) this.remove(peer) }

  #refuse (peer: TaskPeer): void {
    this.#waiting.delete(peer)
    this.#host.refused(peer, `it has not shown in ${PROOF_MS / 1000} s that it is a member of a trusted key`)
  }
}
