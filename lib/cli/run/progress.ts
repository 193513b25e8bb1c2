/** Updates the screen while a torrent is running. */
import type { Torrent } from '../../webtorrent/public-types.ts'
import { escapeText, formatBytes, formatDuration } from '../output/format.ts'
import type { Screen, Snapshot } from '../output/screen.ts'
import type { Session } from './open-torrent.ts'
import { openChecksOf } from './check-waits.ts'
import { stagesLeft } from './stages.ts'
import type { Stages } from './stages.ts'
import { verificationRemark } from './verification.ts'
import { STALLED_MS } from './waits.ts'
import { WorkView } from './work-view.ts'

const TICK_MS = 100

/** Follows the work of the torrent. */
export function followWork ({ torrent }: Session): WorkView {
  const view = new WorkView()
  torrent.on('computing', ({ piece }) => { view.begun(piece, performance.now()) })
  torrent.on('computed', ({ piece, ms }) => { view.ended(piece, ms) })
  torrent.on('aborted', ({ piece }) => { view.ended(piece) })
  torrent.on('failed', ({ piece }) => { if (piece === null) view.completed(); else view.ended(piece) })
  torrent.on('completing', ({ file }) => { view.completing(file, torrent.task?.files.length ?? 1, performance.now()) })
  torrent.on('file', () => { view.completed() })
  torrent.on('checked', report => { view.wrong.checked(report) })
  torrent.on('stuck', () => { view.state = 'stuck' })
  torrent.on('hopeless', () => { view.state = 'not computing' })
  torrent.on('leaving', ({ peers, pieces }) => { view.state = leavingWhen(peers, pieces) })
  return view
}

/** Which peers a leaving peer waits for. */
export function leavingWhen (peers: number, pieces: number): string {
  const who = peers === 1 ? '1 peer has' : `${peers} peers have`
  return `leaving when ${who} the last ${pieces === 1 ? 'piece' : `${pieces} pieces`}`
}

/** Shows the progress of the torrent until the returned function is called. */
export function watch (session: Session, view: WorkView, stages: Stages, screen: Screen): () => void {
  const show = (): void => { screen.show(snapshot(session, view, stages)) }
  show()
  const timer = setInterval(show, TICK_MS)
  const showDone = (): void => {
    view.state = null
    show()
  }
  // before the note that says so
  session.torrent.prependListener('done', showDone)
  return () => {
    clearInterval(timer)
    session.torrent.off('done', showDone)
    show()
  }
}

/** The state while nothing can be computed because inputs are missing; otherwise null. */
function fetching (torrent: Torrent): string | null {
  const fetched = torrent.inputs.filter(({ state }) => state === 'fetching')
  if (fetched.length === 0 || torrent.done || torrent.stats().running > 0) return null
  const stalled = fetched.find(({ since = Infinity }) => Date.now() - since > STALLED_MS)
  if (stalled !== undefined) {
    return `waiting for the input ${escapeText(stalled.name)} for ${formatDuration(Date.now() - stalled.since!)}`
  }
  const have = fetched.reduce((sum, input) => sum + input.have, 0)
  const length = fetched.reduce((sum, input) => sum + input.length, 0)
  return `fetching inputs: ${Math.floor((100 * have) / length)} %, ${formatBytes(length - have)} left`
}

/** How the run is getting on. */
export function snapshot ({ client, torrent }: Session, view: WorkView, { torrents }: Stages): Snapshot {
  const now = performance.now()
  return {
    fraction: torrent.progress,
    pieces: torrent.task === null ? null : torrent.stats(),
    peers: torrent.numPeers,
    downloadSpeed: client.downloadSpeed,
    uploadSpeed: client.uploadSpeed,
    timeLeftMs: Number.isFinite(torrent.timeRemaining) ? torrent.timeRemaining : null,
    state: (torrent.done ? null : view.held) ?? view.stateAt(now) ?? fetching(torrent) ??
      openChecksOf(torrent)?.state ?? null,
    remark:
      view.remarkAt(now) ?? (torrent.done ? null : stagesLeft(torrents)) ?? verificationRemark(torrent, view.wrong),
    done: torrent.done
  }
}
