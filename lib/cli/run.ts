/** `bitworker run`: takes part in a task, from the question to the exit code. */
import { statSync } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { BitWorkerError } from '../errors.ts'
import type { ComputeTorrent } from '../torrent.ts'
import { describeTask, taskFields } from './describe.ts'
import { EXIT, report as reportError } from './failure.ts'
import { escapeText } from './format.ts'
import { aborted, onInterrupt, withDeadline } from './interrupt.ts'
import { JsonOutput } from './json-output.ts'
import type { NetworkFlags } from './network.ts'
import type { Bind } from './options.ts'
import { LiveScreen, PlainScreen } from './progress.ts'
import type { Screen } from './progress.ts'
import { askConsent, demandTerminal } from './prompt.ts'
import { outcomeOf } from './run-outcome.ts'
import { report } from './run-events.ts'
import { watch } from './run-progress.ts'
import { openSession, reached } from './session.ts'
import type { Session } from './session.ts'
import { readSource } from './source.ts'

/** The flags as typed. */
export interface RunFlags extends NetworkFlags {
  output: string
  /** default: one for each core */
  slots?: number
  yes?: boolean
  compute: boolean
  exit?: boolean
  bind: Bind[]
  force?: boolean
  json: boolean
  debug: boolean
}

// Of the second that Ctrl-C may take.
const CLOSE_MS = 800
const NEVER = new Promise<never>(() => {})

/** Runs until it is done, fails or is interrupted; resolves with the exit code. Throws what is wrong with the arguments. */
export async function run (id: string, flags: RunFlags): Promise<number> {
  const source = await readSource(id)
  if (source.task !== null && mustAsk(flags)) demandTerminal()
  await checkBinds(flags.bind)
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  const out = new JsonOutput(flags.json)
  const screen = process.stderr.isTTY ? new LiveScreen() : new PlainScreen()
  if (source.kind === 'remote') screen.note('looking for the task; Ctrl-C stops')
  const session = await openSession(source.id, flags, { path: flags.output, force: flags.force ?? false }, out)
  const exitCode = await takePart(session, flags, { out, screen, interrupted: stop.signal })
  await withDeadline(session.close(), CLOSE_MS)
  out.emit('stopped', { exitCode })
  release()
  return exitCode
}

interface Surroundings { out: JsonOutput, screen: Screen, interrupted: AbortSignal }

async function takePart (session: Session, flags: RunFlags, { out, screen, interrupted }: Surroundings): Promise<number> {
  const progress = { started: false, ended: false, stop: () => {} }
  const question = new AbortController()
  report(session, out, screen)
  const outcome = outcomeOf(session.torrent, flags, out, screen)
  outcome.finished.then(() => { question.abort() }, () => {})
  try {
    return await Promise.race([
      aborted(interrupted).catch(() => EXIT.interrupted),
      session.failed,
      outcome.exitCode,
      begin(session, flags, out, screen, question.signal).then(() => {
        // The question was taken back by the end: nothing is left to show.
        if (progress.ended) return NEVER
        progress.started = true
        progress.stop = watch(session, screen)
        return NEVER
      })
    ])
  } catch (error) {
    screen.close()
    return reportError(error, { ...flags, started: progress.started })
  } finally {
    progress.ended = true
    question.abort()
    progress.stop()
    screen.close()
    if (interrupted.aborted) screen.note('stopped; the same command continues where it was')
  }
}

/** Waits for the task, shows it, asks, and starts computing. */
async function begin ({ torrent }: Session, flags: RunFlags, out: JsonOutput, screen: Screen, settled: AbortSignal): Promise<void> {
  await reached(torrent, 'metadata')
  const { task } = torrent
  if (task === null) {
    await reached(torrent, 'ready')
    if (flags.force !== true) refuseForeignFiles(torrent)
    screen.note(`${escapeText(torrent.name)}: an ordinary torrent; it is downloaded, nothing is run`)
    out.emit('torrent', { infoHash: torrent.infoHash, name: torrent.name, length: torrent.length })
    return
  }
  for (const line of describeTask(task, { outDir: flags.output, columns: process.stderr.columns })) screen.note(line)
  out.emit('task', taskFields(task))
  await reached(torrent, 'ready')
  if (!flags.compute) return screen.note('Only downloading what others compute (--no-compute).')
  screen.note('The command runs on this machine with your rights; there is no sandbox yet.')
  // What is finished already needs no answer, and without one nothing runs.
  if (mustAsk(flags) && (settled.aborted || !await askConsent(settled))) return
  torrent.startComputing({
    ...(flags.slots !== undefined && { slots: flags.slots }),
    binds: flags.bind.map(bind => ({ ...bind, path: path.resolve(bind.path) }))
  })
}

/**
 * WebTorrent writes over whatever has the name of a file of an ordinary torrent; what contains not one piece of the torrent
 * is not ours. Throws BW_ERR_FILE_EXISTS.
 */
function refuseForeignFiles (torrent: ComputeTorrent): void {
  for (const file of torrent.files) {
    const location = path.join(torrent.path, file.path)
    const size = statSync(location, { throwIfNoEntry: false })?.size ?? 0
    if (size === 0 || file.downloaded > 0) continue
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage',
      `${location} exists and is not from this torrent; choose another folder with -o, or overwrite it with --force`)
  }
}

function mustAsk (flags: RunFlags): boolean {
  return flags.compute && flags.yes !== true
}

async function checkBinds (binds: Bind[]): Promise<void> {
  for (const bind of binds) {
    try {
      await access(bind.path)
    } catch (error) {
      throw new BitWorkerError('BW_ERR_BIND', 'usage', `--bind ${bind.path}: no such file or folder, or not readable; check the path`, { cause: error })
    }
  }
}
