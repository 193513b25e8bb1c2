/** What a task needs of a wire before its peer is one of the session's. Called by torrent.ts. */
import type { LocalTask, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import type { Task } from '../task/task.ts'
import { queueBlocks } from './block-queues.ts'
import type { InternalPeer } from './internals.ts'
import { bypassThrottles, rateLimitOf } from './rate-limit.ts'
import type { ThrottleGroup } from './rate-limit.ts'
import type { WireBatches } from './wire-batches.ts'
import { limitWire } from './wire-limits.ts'

/** The wire's ut_bitworker, if it uses it. */
export function extensionOf (wire: Wire): UtBitworker | undefined {
  return (wire as Wire & { ut_bitworker?: UtBitworker }).ut_bitworker
}

/** After the handshake, a peer has this long to say what it speaks. */
const EXTENDED_HANDSHAKE_MS = 10_000

/** What ut_bitworker must know of the task. */
export function localTask ({ digest, pieceCount, pieceLength }: Task): LocalTask {
  return { digest, pieceCount, pieceLength }
}

/** How a wire takes part in a task of so many pieces: bounded, and sending once a turn. `peers` are the torrent's. */
export function setUpWire (
  wire: Wire, ext: UtBitworker, { pieceCount, peers, batches, throttleGroups: { up, down } }: WireSetUp
): void {
  // news is small: Nagle's algorithm would hold it back until what went before is acknowledged
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
 * WebTorrent looks an incoming connection's torrent up asynchronously; an eager peer's extended handshake can be here
 * before the extensions that want it. (ut_bitworker looks for it itself.)
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
 * Once the peer's extended handshake is here: `use` if it speaks ut_bitworker, else it is of no use to a task, nor the
 * task to it.
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
