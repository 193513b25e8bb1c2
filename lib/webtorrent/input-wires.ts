/**
 * Keeps WebTorrent from downloading blocks of an input twice. Used by open-input.ts.
 */
import { isDuplicate } from '../connections/admission.ts'
import { hostOf } from '../peers/identity.ts'
import type { InternalTorrent } from './internals.ts'

/** WebTorrent alone requests a block from a second peer as soon as that one was twice as fast. */
const SWAP_AFTER_MS = 2_000

/** Peers of a task name each other, so that two of them may connect twice: one connection stays. */
export function closeDuplicates (torrent: InternalTorrent): void {
  torrent.on('wire', wire => {
    const others = torrent.wires.filter(other => other !== wire && !other.destroyed)
    if (isDuplicate(wire, hostOf(wire.remoteAddress), others, torrent.client.peerId)) wire.destroy()
  })
}

/** A block that was requested from a slow peer is requested from another one only if it has been slow for a while. */
export function delaySwaps (torrent: InternalTorrent): void {
  /** when a swap was first proposed, by torrent piece */
  const proposed = new Map<number, number>()
  let timer: NodeJS.Timeout | undefined
  const swap = torrent._hotswap.bind(torrent)
  torrent._hotswap = (wire, index) => {
    const now = performance.now()
    const since = proposed.get(index) ?? now
    proposed.set(index, since)
    if (now - since >= SWAP_AFTER_MS) return swap(wire, index)
    timer ??= setTimeout(() => {
      timer = undefined
      if (!torrent.destroyed) torrent._update()
    }, SWAP_AFTER_MS).unref()
    return false
  }
  torrent.on('verified', index => { proposed.delete(index) })
}
