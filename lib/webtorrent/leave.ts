/** Leaves a task in such a way that nobody has to compute again the pieces that only we have. Called by torrent.ts. */
import { setTimeout } from 'node:timers/promises'
import type { Outstanding } from '../peers/hand-over.ts'

const LOOK_MS = 250
/** The longest wait for other peers. */
const HAND_OVER_MS = 10 * 60_000

/** How long to wait. */
export interface HandOverOptions {
  /** milliseconds; default: 10 minutes */
  timeoutMs?: number
  /** aborts the wait */
  signal?: AbortSignal
}

/**
 * Resolves when nothing is outstanding; after the timeout or an abort, with what still is.
 * @param look returns what is outstanding now; null if there is nobody to wait for any more
 * @param tell called with what is outstanding, whenever it has changed
 */
export async function handOver (
  look: () => Outstanding | null, tell: (left: Outstanding) => void, opts: HandOverOptions = {}
): Promise<Outstanding> {
  const { timeoutMs = HAND_OVER_MS, signal } = opts
  const endsAt = performance.now() + timeoutMs
  let told: Outstanding = { peers: 0, pieces: 0 }
  for (;;) {
    const left = look() ?? { peers: 0, pieces: 0 }
    if (left.peers > 0 && (left.peers !== told.peers || left.pieces !== told.pieces)) tell(left)
    told = left
    if (left.peers === 0 || signal?.aborted === true || performance.now() >= endsAt) return left
    await setTimeout(LOOK_MS, undefined, { ...(signal !== undefined && { signal }) }).catch(() => {})
  }
}
