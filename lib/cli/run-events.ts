/** What happens to a torrent, as `--json` events and as notes for people. */
import { escapeText, formatBytes } from './format.ts'
import type { JsonOutput } from './json-output.ts'
import type { Screen } from './progress.ts'
import type { FailureReport } from './run/failures.ts'
import { saidLines } from './run/said.ts'
import type { Session } from './session.ts'

// A flood of strangers must not fill the terminal; `--json` has them all.
const MAX_MISDEEDS_SHOWN = 10

/** Passes on everything but the end: that is run.ts's. */
export function report (session: Session, failures: FailureReport, out: JsonOutput, screen: Screen): void {
  const { torrent } = session
  for (const event of ['computing', 'computed', 'downloaded', 'aborted', 'completing', 'file', 'leaving', 'strike', 'ban'] as const) {
    torrent.on(event, (fields: object) => { out.emit(event, fields) })
  }
  torrent.on('failed', failure => {
    out.emit('failed', failure)
    failures.failed(failure)
  })
  for (const event of ['computed', 'downloaded'] as const) torrent.on(event, ({ piece }: { piece: number }) => { failures.recovered(piece) })
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
  const told = new Set<string>()
  const tell = (event: string, peer: string, what: string): void => {
    const key = `${event} ${peer}`
    if (told.size === MAX_MISDEEDS_SHOWN || told.has(key)) return
    told.add(key)
    screen.note(`peer ${escapeText(peer)} ${what}`)
    if (told.size === MAX_MISDEEDS_SHOWN) screen.note('(what other peers do wrong is not shown; --json lists it all)')
  }
  torrent.on('strike', ({ peer, reason }) => { tell('strike', peer, `broke a rule: ${escapeText(reason)}`) })
  torrent.on('ban', ({ peer, reason }) => { tell('ban', peer, `may not come back: ${escapeText(reason)}`) })
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
  const told = new Set<string>()
  session.onWarning(message => {
    out.emit('warning', { message })
    // A tracker that is down says so every few minutes.
    if (told.has(message)) return
    told.add(message)
    screen.note(`warning: ${escapeText(message)}`)
  })
}

/** The finished files as a note. */
export function describeFiles (files: Array<{ path: string, length: number }>): string[] {
  return files.map(({ path, length }) => `  ${escapeText(path)}  ${formatBytes(length)}`)
}
