/** Attestations of a simulated swarm: without signatures, and heard by everybody at once. */
import { hexOf } from '../../lib/base/digest.ts'
import type { AttestationHost, AttestationParts, Attestations } from '../../lib/session/attestations.ts'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import type { Statement } from '../../lib/verification/types.ts'

/** The trusted key of a swarm that has one. */
const TRUSTED = 'trusted'

/** Where all peers of one swarm say what they computed. */
export class Board {
  readonly #members: ReadonlySet<string>
  readonly #heard: Statement[] = []
  readonly #readers = new Map<string, AttestationParts['verification']>()

  /** @param members the keys that the trusted key vouches for */
  constructor (members: ReadonlySet<string>) {
    this.#members = members
  }

  /** The exchange of the peer with this key. */
  join (key: string, { verification }: AttestationParts, host: AttestationHost): Attestations {
    this.#readers.set(key, verification)
    const peers = new Map<string, TaskPeer>()
    // the key is known to be ours when the verification is told that it is a member's
    for (const member of this.#members) verification.setMember(member, TRUSTED)
    return {
      open: () => {},
      retell: () => {},
      add: peer => { peers.set(keyOf(peer.id), peer) },
      remove: peer => { if (peers.get(keyOf(peer.id)) === peer) peers.delete(keyOf(peer.id)) },
      isAwaited: () => false,
      attest: (index, result) => { this.#say({ index, result, key, kind: 0 }) },
      exclude: (excluded, reason) => {
        const peer = peers.get(excluded)
        if (peer !== undefined) host.misbehaved(peer, reason, true)
      },
      close: () => { this.#readers.delete(key) }
    }
  }

  #say (statement: Statement): void {
    const { key, index } = statement
    if (this.#heard.some(said => said.key === key && said.index === index)) return
    this.#heard.push(statement)
    for (const [reader, verification] of this.#readers) if (reader !== key) verification.attested(statement)
  }
}

/** A peer's key is its id here. @param id hex */
export function keyOf (id: string | Uint8Array): string { return typeof id === 'string' ? id : hexOf(id) }
