/** Feeds the screen while a torrent is at work. */
import type { Screen, Snapshot } from './progress.ts'
import type { Session } from './session.ts'

const TICK_MS = 100

/** Shows how far the torrent is until the returned function is called. */
export function watch (session: Session, screen: Screen): () => void {
  const show = (): void => { screen.show(snapshot(session)) }
  show()
  const timer = setInterval(show, TICK_MS)
  // before the note that says so
  session.torrent.prependListener('done', show)
  return () => {
    clearInterval(timer)
    session.torrent.off('done', show)
    show()
  }
}

function snapshot ({ client, torrent }: Session): Snapshot {
  return {
    fraction: torrent.progress,
    pieces: torrent.task === null ? null : torrent.stats(),
    peers: torrent.numPeers,
    downloadSpeed: client.downloadSpeed,
    uploadSpeed: client.uploadSpeed,
    timeLeftMs: Number.isFinite(torrent.timeRemaining) ? torrent.timeRemaining : null,
    done: torrent.done
  }
}
