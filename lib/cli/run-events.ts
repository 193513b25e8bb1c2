/** What happens to a torrent, as `--json` events and as notes for people. */
import type { FailedEvent } from '../task-events.ts'
import { escapeText, formatBytes } from './format.ts'
import type { JsonOutput } from './json-output.ts'
import type { Screen } from './progress.ts'
import type { Session } from './session.ts'

// A command that always fails would otherwise fill the terminal; `--json` has them all.
const MAX_FAILURES_SHOWN = 10
// A flood of strangers must not, either.
const MAX_MISDEEDS_SHOWN = 10
const STDERR_LINES_SHOWN = 10

/** Passes on everything but the end: that is run.ts's. */
export function report (session: Session, out: JsonOutput, screen: Screen): void {
  const { torrent } = session
  for (const event of ['computing', 'computed', 'downloaded', 'aborted', 'file', 'strike', 'ban'] as const) {
    torrent.on(event, (fields: object) => { out.emit(event, fields) })
  }
  const showFailure = failureNotes(screen)
  torrent.on('failed', failure => {
    out.emit('failed', failure)
    if (failure.final) showFailure(failure)
  })
  reportMisdeeds(torrent, screen)
  reportPeers(torrent, out)
  reportWarnings(session, out, screen)
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

function failureNotes (screen: Screen): (failure: FailedEvent) => void {
  let count = 0
  return failure => {
    count++
    if (count <= MAX_FAILURES_SHOWN) screen.note(describeFailure(failure))
    if (count === MAX_FAILURES_SHOWN) screen.note('(further failures are not shown; --json lists them all)')
  }
}

function describeFailure ({ piece, file, message, stderr }: FailedEvent): string {
  const subject = piece === null ? `the complete command of file ${file ?? 0}` : `piece ${piece}`
  const lines = stderr.split('\n').filter(line => line !== '').slice(-STDERR_LINES_SHOWN)
  return [
    `${subject} failed here for good: ${escapeText(message)}`,
    ...lines.map(line => `  │ ${escapeText(line)}`)
  ].join('\n')
}

/** The finished files as a note. */
export function describeFiles (files: Array<{ path: string, length: number }>): string[] {
  return files.map(({ path, length }) => `  ${escapeText(path)}  ${formatBytes(length)}`)
}
