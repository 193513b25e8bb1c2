/** Prepares a wire for a task, before its peer joins the session. Called by torrent.ts. */
import type { LocalTask, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import type { Task } from '../task/task.ts'
import { queueBlocks } from './block-queues.ts'
import type { InternalPeer } from './internals.ts'
import { bypassThrottles, rateLimitOf } from './rate-limit.ts'
import type { ThrottleGroup } from './rate-limit.ts'
import type { WireBatches } from './wire-batches.ts'
import { limitWire } from './wire-limits.ts'

/** The wire's ut_bitworker extension, if it has one. */
export function extensionOf (wire: Wire): UtBitworker | undefined {
  return (wire as Wire & { ut_bitworker?: UtBitworker }).ut_bitworker
}

/** Time after the handshake for the peer to send its extended handshake. */
const EXTENDED_HANDSHAKE_MS = 10_000

/** The properties of the task that ut_bitworker needs. */
export function localTask ({ digest, pieceCount, pieceLength }: Task): LocalTask {
  return { digest, pieceCount, pieceLength }
}

/** Sets up a wire for a task with this many pieces: with limits, and one flush per turn. `peers` are the torrent's. */
export function setUpWire (
  wire: Wire, ext: UtBitworker, { pieceCount, peers, batches, throttleGroups: { up, down } }: WireSetUp
): void {
  // messages are small: Nagle's algorithm would delay them until the previous ones are acknowledged
  for (const peer of peers) if (peer.wire === wire) peer.conn?.setNoDelay?.(true)
  limitWire(wire, ext, pieceCount)
  batches.add(wire)
  bypassThrottles(wire)
  queueBlocks(wire, { up: rateLimitOf(up), down: rateLimitOf(down) })
}

interface WireSetUp {
  pieceCount: number
  peers: Iterable<InternalPeer>
  batches: WireBatches
  throttleGroups: { up: ThrottleGroup, down: ThrottleGroup }
}

/**
 * WebTorrent finds the torrent of an incoming connection asynchronously, so the extended handshake of a fast peer can
 * arrive before the extensions that need it. (ut_bitworker handles this itself.)
 */
export function replayHandshake (wire: Wire): void {
  if (Object.keys(wire.peerExtendedHandshake).length === 0) return
  queueMicrotask(() => {
    for (const name of ['ut_metadata', 'ut_pex', 'lt_donthave'] as const) {
      if (wire.peerExtendedMapping[name]) wire[name]?.onExtendedHandshake?.(wire.peerExtendedHandshake)
    }
  })
}

/**
 * Waits for the peer's extended handshake, and calls `use` if the peer supports ut_bitworker. Otherwise it is useless
 * for a task, and the task for it.
 */
export function onceSpeaking (wire: Wire, use: () => void): void {
  const check = (): void => {
    if (wire.peerExtendedMapping['ut_bitworker']) use()
    else wire.destroy()
  }
  if (wire.peerExtensions.extended !== true) wire.destroy()
  else if (Object.keys(wire.peerExtendedHandshake).length > 0) check()
  else awaitHandshake(wire, check)
}

function awaitHandshake (wire: Wire, check: () => void): void {
  const timer = setTimeout(() => { wire.destroy() }, EXTENDED_HANDSHAKE_MS)
  timer.unref()
  wire.once('close', () => { clearTimeout(timer) })
  wire.on('extended', extension => {
    if (extension !== 'handshake') return
    clearTimeout(timer)
    check()
  })
}
