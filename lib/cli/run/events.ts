/** What happens to a torrent, as `--json` events and as notes for people. */
import { escapeText, formatBytes } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import type { FailureReport } from './failures.ts'
import type { Session } from './open-torrent.ts'
import { Remarks } from './remarks.ts'
import { saidLines } from './said.ts'

/** Passes on everything but the end: that is run.ts's. */
export function report (session: Session, failures: FailureReport, out: JsonOutput, screen: Screen): void {
  const { torrent } = session
  for (const event of [
    'computing', 'computed', 'downloaded', 'aborted', 'completing', 'file', 'leaving', 'strike', 'ban'
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
  reportMisdeeds(torrent, screen)
  reportPeers(torrent, out)
  reportWarnings(session, out, screen)
}

/** What the commands of good pieces said on stderr. */
export function reportStderr ({ torrent }: Session, screen: Screen): void {
  torrent.on('computed', ({ piece, stderr }) => {
    if (stderr !== '') screen.note([`piece ${piece} was computed, and said:`, ...saidLines(stderr)].join('\n'))
  })
}

/** The first thing that each peer does wrong, and its ban. */
function reportMisdeeds (torrent: Session['torrent'], screen: Screen): void {
  const remarks = new Remarks(text => { screen.note(text) })
  torrent.on('strike', ({ peer, reason }) => { remarks.add(`peer ${peer} broke a rule: ${reason}`, `strike ${peer}`) })
  torrent.on('ban', ({ peer, reason }) => { remarks.add(`peer ${peer} may not come back: ${reason}`, `ban ${peer}`) })
}

function reportPeers (torrent: Session['torrent'], out: JsonOutput): void {
  let known = 0
  const tell = (): void => {
    if (torrent.numPeers === known) return
    known = torrent.numPeers
    out.emit('peers', { peers: known })
  }
  torrent.on('wire', wire => {
    tell()
    // The torrent forgets a wire after the wire has said that it closed.
    wire.once('close', () => { setImmediate(tell) })
  })
}

function reportWarnings (session: Session, out: JsonOutput, screen: Screen): void {
  // a tracker that is down says so every few minutes
  const remarks = new Remarks(text => { screen.note(text) })
  session.onWarning(message => {
    out.emit('warning', { message })
    remarks.add(`warning: ${message}`)
  })
}

/** The finished files as a note. */
export function describeFiles (files: Array<{ path: string, length: number }>): string[] {
  return files.map(({ path, length }) => `  ${escapeText(path)}  ${formatBytes(length)}`)
}
