/** When a task has ended, and how. */
import path from 'node:path'
import type { Torrent } from '../webtorrent/public-types.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import type { JsonOutput } from './json-output.ts'
import type { Screen } from './progress.ts'
import { describeFiles } from './run-events.ts'

const NEVER = new Promise<never>(() => {})

/** What decides when to leave. */
export interface OutcomeFlags { exit?: boolean, compute: boolean }

/** The end of a task. */
export interface Outcome {
  /** resolves when nothing is left to compute or download */
  finished: Promise<void>
  /** with `--exit` resolves at the end, good or bad; without never */
  exitCode: Promise<number>
}

/** Watches for the end, and tells people and `--json` about it. */
export function outcomeOf (torrent: Torrent, flags: OutcomeFlags, out: JsonOutput, screen: Screen): Outcome {
  const files = new Map<string, number>()
  torrent.on('file', file => { files.set(file.path, file.length) })
  const finished = new Promise<void>(resolve => {
    torrent.on('done', () => {
      // The parts are here, but the complete command waits for the answer to the question.
      const { task } = torrent
      if (task?.completeCommand !== undefined && task.unsupported === undefined && flags.compute && files.size < task.files.length) return
      announceDone(torrent, files, flags, out, screen)
      resolve()
    })
  })
  const stuck = new Promise<void>(resolve => {
    torrent.on('stuck', ({ pieces }) => {
      out.emit('stuck', { pieces })
      screen.note(describeStuck(pieces))
      resolve()
    })
  })
  // a task that is not understood leaves parts, and whoever asked for files has none
  const done = finished.then(() => torrent.task?.unsupported === undefined ? EXIT.done : EXIT.workFailed)
  const end = Promise.race([done, stuck.then(() => EXIT.workFailed)])
  return { finished, exitCode: flags.exit === true ? end : NEVER }
}

function announceDone (torrent: Torrent, finished: Map<string, number>, flags: OutcomeFlags, out: JsonOutput, screen: Screen): void {
  const files = torrent.task === null
    ? torrent.files.map(file => ({ path: path.resolve(torrent.path, file.path), length: file.length }))
    : [...finished].map(([file, length]) => ({ path: file, length }))
  out.emit('done', { files })
  screen.note(['done:', ...describeFiles(files)].join('\n'))
  if (torrent.task !== null && finished.size < torrent.task.files.length) {
    screen.note(torrent.task.unsupported === undefined
      ? 'All parts are here; the complete command, which makes the files of them, was not run (--no-compute).'
      : 'All parts are here, but no files are made of them, as this version does not know all that the task needs; update BitWorker and run the same command again.')
  }
  if (flags.exit !== true) screen.note('Seeding for the others; Ctrl-C stops.')
}

function describeStuck (pieces: number[]): string {
  if (pieces.length === 0) return 'The complete command failed: the parts are here, the file is not.'
  const shown = pieces.slice(0, 20).join(', ') + (pieces.length > 20 ? ', …' : '')
  return `Nothing is left to do here: ${plural(pieces.length, 'piece')} failed here for good and no peer has them (${shown}).`
}
