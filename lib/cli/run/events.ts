/** Reports the events of a torrent, as `--json` events and as notes for users. */
import { escapeText, formatBytes } from '../output/format.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import type { FailureReport } from './failures.ts'
import type { Session } from './open-torrent.ts'
import { lastLines, restated } from './remarks.ts'
import type { Remarks } from './remarks.ts'
import { reportVerification } from './verification.ts'

/** Shortest interval between two events about the number of peers, which any peer can change. */
const PEERS_MS = 1_000
/** Finished files that are listed. */
const MAX_FILES = 5

/** Reports everything except the end, which run.ts reports. */
export function report (session: Session, failures: FailureReport, out: JsonOutput, remarks: Remarks): void {
  const { torrent } = session
  reportPieces(torrent, failures, out, remarks)
  reportMisdeeds(torrent, remarks)
  reportPeers(torrent, out)
  reportSeals(torrent, remarks)
  torrent.on('peerFailed', failure => { remarks.emit('peerFailed', { ...failure }) })
  reportVerification(torrent, out, remarks)
  session.onWarning(({ code, message: said }) => {
    const message = restated(said)
    remarks.emit('warning', { ...(code?.startsWith('BW_ERR_') === true && { code }), message })
    // a tracker that is down causes a warning every few minutes
    remarks.add('warnings', [`Warning: ${message}`])
  })
}

/** What becomes of its pieces, files and inputs. */
export function reportPieces (
  torrent: Torrent, failures: FailureReport, out: Pick<JsonOutput, 'emit'>, remarks: Remarks
): void {
  for (const event of [
    'computing', 'computed', 'downloaded', 'aborted', 'completing', 'file', 'input', 'leaving'
  ] as const) {
    torrent.on(event, (fields: object) => {
      out.emit(event, fields)
    })
  }
  torrent.on('failed', failure => {
    out.emit('failed', failure)
    failures.failed(failure)
  })
  for (const event of ['computed', 'downloaded'] as const)
    torrent.on(event, ({ piece }: { piece: number }) => {
      failures.recovered(piece)
    })
  // the sharing of inputs may report the same
  torrent.on('input', ({ message }) => {
    if (message !== undefined) remarks.add('warnings', [`Warning: ${message}`])
  })
}

/** Reports the stderr of successful commands. */
export function reportStderr ({ torrent }: Session, screen: Screen): void {
  torrent.on('computed', ({ piece, stderr }) => {
    if (stderr !== '') screen.note([`Piece ${piece} was computed. Its stderr:`, ...lastLines(stderr)].join('\n'))
  })
}

/** Reports the first misdeed of each peer, and its ban. */
function reportMisdeeds (torrent: Session['torrent'], remarks: Remarks): void {
  torrent.on('strike', ({ peer, reason }) => {
    remarks.emit('strike', { peer, reason })
    remarks.add('misdeeds', [`Peer ${peer} broke a rule: ${reason}.`], `strike ${peer}`)
  })
  torrent.on('ban', ({ peer, reason }) => {
    remarks.emit('ban', { peer, reason })
    remarks.add('misdeeds', [`Peer ${peer} is banned: ${reason}.`], `ban ${peer}`)
  })
}

/** Sealed torrents that peers tell of, each once for people. */
function reportSeals (torrent: Session['torrent'], remarks: Remarks): void {
  torrent.on('peerSealed', ({ infoHash, peers }) => {
    const magnet = `magnet:?xt=urn:btih:${infoHash}`
    remarks.emit('peerSealed', { infoHash, magnet, peers })
    remarks.add('seals', [
      `A peer says that it has sealed the task as an ordinary torrent, which nothing proves: ${magnet}`
    ], `sealed ${infoHash}`)
  })
}

function reportPeers (torrent: Session['torrent'], out: JsonOutput): void {
  let known = 0
  let timer: NodeJS.Timeout | null = null
  const tell = (): void => {
    if (torrent.numPeers === known || timer !== null) return
    known = torrent.numPeers
    out.emit('peers', { peers: known })
    timer = setTimeout(() => {
      timer = null
      tell()
    }, PEERS_MS).unref()
  }
  torrent.on('wire', wire => {
    tell()
    // The torrent removes a wire after the wire has emitted 'close'.
    wire.once('close', () => { setImmediate(tell) })
  })
}

/** The finished files as a note: the first ones, if there are many. @param folder that they are in */
export function describeFiles (files: Array<{ path: string, length: number }>, folder: string): string[] {
  const shown = files.length > MAX_FILES ? files.slice(0, MAX_FILES) : files
  const more = files.length - shown.length
  return [
    ...shown.map(({ path, length }) => `  ${escapeText(path)}  ${formatBytes(length)}`),
    ...more === 0 ? [] : [`  … and ${more} more in ${escapeText(folder)}`]
  ]
}
