/** When a task ends, and how. */
import path from 'node:path'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { EXIT } from '../output/failure.ts'
import { plural } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import { describeFiles } from './events.ts'
import type { FailureReport } from './failures.ts'
import { runOnDone } from './hooks.ts'
import type { HookFlags } from './hooks.ts'
import { handedOver, leavesWhenDone, seeded } from './leaving.ts'
import type { LeavingFlags } from './leaving.ts'
import { sealWhenDone } from './sealing.ts'
import type { SealingFlags } from './sealing.ts'
import type { Stages } from './stages.ts'
import { isUnmet, verificationSummary } from './verification.ts'
import type { WrongResults } from './wrong-results.ts'
import { nothingComes, PATIENCE_MS } from './waiting.ts'

const NEVER = new Promise<never>(() => {})

/** The flags that decide when to leave. */
export interface OutcomeFlags extends LeavingFlags, SealingFlags, HookFlags { compute: boolean }

/** The end of a task. */
export interface Outcome {
  /** resolves when nothing is left to compute or download */
  finished: Promise<void>
  /**
   * resolves at the end, good or bad, when others have the pieces that only we have; never without `--exit` or another
   * reason to leave
   */
  exitCode: Promise<number>
}

/** Watches for the end, and reports it to users and `--json`. */
export function outcomeOf (
  torrent: Torrent, flags: OutcomeFlags, failures: FailureReport, out: JsonOutput, screen: Screen, stages: Stages,
  wrong: WrongResults
): Outcome {
  const files = new Map<string, number>()
  torrent.on('file', file => { files.set(file.path, file.length) })
  const finished = new Promise<void>(resolve => {
    torrent.on('done', () => {
      // All parts are stored, but the complete command waits for the answer to the prompt.
      const { task } = torrent
      if (
        task?.completeCommand !== undefined &&
        task.unsupported === undefined &&
        !torrent.leavesParts &&
        flags.compute &&
        files.size < task.files.length
      )
        return
      announceDone(torrent, files, flags, { out, screen, wrong })
      resolve()
    })
  })
  // after the note that it is done
  const sealed = sealWhenDone(torrent, flags, out, screen)
  const hooked = finished.then(async () => {
    await sealed()
    await runOnDone(flags, torrent, out, screen)
  })
  let isWaiting = false
  const waitForOthers = (giveUp: () => void): void => {
    if (isWaiting) return
    isWaiting = true
    if (flags.exit !== true) return screen.note('Pieces from other peers are still downloaded. Press Ctrl-C to stop.')
    // peers were looked for before anything was computed
    if (torrent.numPeers === 0) return giveUp()
    screen.note(
      `Pieces from other peers are still downloaded. The run ends when none arrives for ${PATIENCE_MS / 1000} s.`
    )
    void nothingComes(torrent).then(giveUp)
  }
  /** pieces that other peers say they have given up */
  const elsewhere = new Set<number>()
  torrent.on('peerFailed', ({ piece }) => { elsewhere.add(piece) })
  const failed = new Promise<void>(resolve => {
    torrent.on('stuck', ({ pieces }) => {
      out.emit('stuck', { pieces })
      failures.tell()
      screen.note(
        pieces.length === 0
          ? 'All parts are stored, but the file could not be made from them.'
          : 'Nothing is left to do here: no connected peer has the failed pieces.'
      )
      // no peer can provide the file
      if (pieces.length === 0) resolve()
      else {
        waitForOthers(() => {
          screen.alert(inVain(pieces, pieces.filter(piece => elsewhere.has(piece)).length))
          resolve()
        })
      }
    })
    torrent.on('hopeless', hopeless => {
      out.emit('hopeless', hopeless)
      screen.alert(failures.describeHopeless(hopeless))
      waitForOthers(resolve)
    })
  })
  // an unsupported task leaves parts, and the user who wanted files has none; a piece may be lost again meanwhile
  const done = finished.then(async () => {
    if (!leavesWhenDone(flags)) return NEVER
    await hooked
    await seeded(torrent, flags)
    if (!torrent.done || torrent.task?.unsupported !== undefined) return EXIT.workFailed
    return isUnmet(torrent) ? EXIT.unmet : EXIT.done
  })
  const hopeless = Promise.race([failed, stages.failed])
  const end = Promise.race([done, hopeless.then(() => flags.exit === true ? EXIT.workFailed : NEVER)])
  const left = end.then(async exitCode => {
    await Promise.all([torrent, ...stages.torrents].map(async each => { await handedOver(each, screen) }))
    return exitCode
  })
  return { finished, exitCode: left }
}

/** Who is there cannot finish the task; whoever comes later may. */
function inVain (pieces: readonly number[], elsewhere: number): string {
  const others = elsewhere === 0 ? '' : `, and other peers have given up ${elsewhere} of them`
  return `The task cannot be finished for now: nobody has or computes ${plural(pieces.length, 'piece')}${others}. bitworker log --failed shows why; run --retry-failed tries them again.`
}

function announceDone (
  torrent: Torrent, finished: Map<string, number>, flags: OutcomeFlags,
  { out, screen, wrong }: { out: JsonOutput, screen: Screen, wrong: WrongResults }
): void {
  const files =
    torrent.task === null
      ? torrent.files.map(file => ({ path: path.resolve(torrent.path, file.path), length: file.length }))
      : inOrderOf(torrent, finished)
  const { verification } = torrent
  if (verification !== null) out.emit('verification', verification)
  out.emit('done', { files, ...(verification !== null && { verification }) })
  screen.note(['done:', ...describeFiles(files, path.resolve(torrent.path))].join('\n'))
  for (const line of verificationSummary(verification, wrong)) screen.note(line)
  if (torrent.task !== null && finished.size < torrent.task.files.length) {
    screen.note(`All parts are stored${whyNoFiles(torrent)}`)
  }
  if (flags.seedTime !== undefined || flags.seedRatio !== undefined) {
    screen.note('Seeding until --seed-time or --seed-ratio is reached. Press Ctrl-C to stop.')
  } else if (flags.exit !== true) screen.note('Seeding to other peers. Press Ctrl-C to stop.')
}

/** The finished files in the order of the task: a list of frames is read from the first to the last. */
function inOrderOf (torrent: Torrent, finished: Map<string, number>): Array<{ path: string, length: number }> {
  const order = new Map(torrent.files.map((file, i) => [path.resolve(torrent.path, file.path), i]))
  return [...finished].map(([file, length]) => ({ path: file, length }))
    .sort((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0))
}

function whyNoFiles ({ task, leavesParts }: Torrent): string {
  if (task?.unsupported !== undefined) {
    return ', but this version lacks something that the task needs to make files from them. Update BitWorker and run the same command again.'
  }
  if (leavesParts) {
    return '. The files are made from them by the author of the task. To make them here as well, run the same command with --complete.'
  }
  return '. The complete command, which makes the files from them, was not run (--no-compute).'
}
