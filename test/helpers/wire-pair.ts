/** Two bittorrent-protocol wires piped to each other: the protocol without sockets. */
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import Protocol from 'bittorrent-protocol'
import type { Test } from 'tape'
import type { Wire } from '../../lib/base/wire.ts'
import { DEADLINE_MS } from './disk.ts'

export const INFO_HASH = 'aa'.repeat(20)
/** The first wire's peer id; it is the lower one. */
export const PEER_ID_A = '01'.repeat(20)
export const PEER_ID_B = 'f2'.repeat(20)

/** Two connected wires that have not said anything yet; they end with the test. */
export function wirePair (t: Test): { a: Wire, b: Wire } {
  const a = new Protocol('tcpOutgoing')
  const b = new Protocol('tcpIncoming')
  a.pipe(b).pipe(a)
  t.teardown(() => {
    a.destroy()
    b.destroy()
  })
  return { a, b }
}

/**
 * Both wires' handshakes: a's first, b's in answer to it. `onB` runs where WebTorrent calls `wire.use` for incoming
 * wires.
 */
export function shakeHands (a: Wire, b: Wire, onB: () => void = () => {}): void {
  b.once('handshake', () => {
    onB()
    b.handshake(INFO_HASH, PEER_ID_B)
  })
  a.handshake(INFO_HASH, PEER_ID_A)
}

/** Resolves when the event comes; fails the test's promise if it does not in time. */
export async function event (emitter: unknown, name: string): Promise<unknown[]> {
  return once(emitter as EventEmitter, name, { signal: AbortSignal.timeout(DEADLINE_MS) })
}

/** Resolves when everything that `from` has sent so far has reached `to`: messages keep their order. */
export async function delivered (from: Wire, to: Wire): Promise<void> {
  const arrived = event(to, 'port')
  from.port(1)
  await arrived
}
