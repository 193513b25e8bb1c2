/** Agreeing with the connected peers on the results of pieces, before the task is sealed. Called by torrent.ts. */
import { setTimeout } from 'node:timers/promises'

const LOOK_MS = 100
/** Longest time to wait for the results of others. */
const AGREE_MS = 10 * 60_000

/** The part of ComputeTorrent that is needed here. */
export interface AgreeingTorrent {
  readonly done: boolean
  readonly destroyed: boolean
  readonly _session: { agree (): number } | null
}

/** Resolves when no connected peer holds a result that goes before an own one, and the task is done; or too late. */
export async function agree (torrent: AgreeingTorrent): Promise<void> {
  const endsAt = performance.now() + AGREE_MS
  if (!torrent.done) return
  while (!torrent.destroyed && performance.now() < endsAt) {
    if (torrent._session?.agree() === 0 && torrent.done) return
    await setTimeout(LOOK_MS)
  }
}
