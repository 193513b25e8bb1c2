/** The web page of a run (`--ui`): what it shows and asks for, from the run's torrents and its steering. */
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { BitWorkerError } from '../../base/errors.ts'
import { pageFiles } from '../../page/page-files.ts'
import { PageServer } from '../../page/page-server.ts'
import type { PageSource } from '../../page/page-server.ts'
import type { TaskSummary } from '../../page/snapshot.ts'
import { TaskFeed } from '../../page/task-feed.ts'
import type { RunState, RunTask } from '../../page/task-feed.ts'
import type { Task } from '../../task/task.ts'
import type { Judgement } from '../../trust/judge.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import { version } from '../../version.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { HostPort } from '../flags/values.ts'
import { explain } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import { judge } from './judging.ts'
import type { JudgingFlags } from './judging.ts'
import { reached } from './open-torrent.ts'
import type { Session } from './open-torrent.ts'
import type { Stages } from './stages.ts'
import type { Steering } from './steering.ts'

/** What the page is made of. */
export interface PageParts {
  session: Session
  stages: Stages
  steering: Steering
  trust: TrustStore
  screen: Screen
  out: JsonOutput
  flags: JudgingFlags
}

/** A page that is served. */
export interface Page { close (): void }

/**
 * Serves the page, and prints its link. Throws BW_ERR_PORT_IN_USE, BW_ERR_ADDRESS and BW_ERR_PAGE, in words for the
 * flag.
 */
export async function openPage (at: HostPort, parts: PageParts): Promise<Page> {
  const { session: { torrent }, screen, out } = parts
  const feeds = new Feeds(parts)
  const server = await PageServer.listen({
    ...at, token: randomBytes(16).toString('hex'), version, source: feeds, files: await pageFiles()
  }).catch((err: Error) => { throw unheard(err, at) })
  screen.note(`Page: ${server.link}`)
  out.emit('page', { url: server.link })
  // what happens before somebody looks is shown as well
  void reached(torrent, 'ready').then(() => { feeds.list() }, () => {})
  return {
    close: () => {
      feeds.close()
      server.close()
    }
  }
}

/** The tasks of a run: the user's first. */
class Feeds implements PageSource {
  readonly #parts: PageParts
  readonly #feeds = new Map<string, TaskFeed>()

  constructor (parts: PageParts) { this.#parts = parts }

  list (): TaskSummary[] { return this.#update().map(feed => feed.summary()) }

  task (infoHash: string): TaskFeed | undefined {
    this.#update()
    return this.#feeds.get(infoHash)
  }

  close (): void { for (const feed of this.#feeds.values()) feed.close() }

  #update (): TaskFeed[] {
    const { session, stages } = this.#parts
    for (const torrent of [session.torrent, ...stages.torrents]) {
      const { task, ready, infoHash } = torrent
      if (task === null || !ready || this.#feeds.has(infoHash)) continue
      this.#feeds.set(infoHash, new TaskFeed(this.#describe(torrent, task), task))
    }
    return [...this.#feeds.values()]
  }

  #describe (torrent: Torrent, task: Task): RunTask {
    const { session, steering, trust, flags } = this.#parts
    const isStage = torrent !== session.torrent
    return {
      torrent,
      neededBy: isStage ? session.torrent.name : null,
      signed: signedLine(judge(task, { ...flags, compute: false }, trust)),
      state: () => ({ ...steering.status(), ...isStage && stateOf(torrent) }),
      steer: what => {
        if (what === 'stop') process.emit('SIGINT')
        else steering.request(what)
      }
    }
  }
}

/** Of an earlier task: what the run knows is of the user's. */
function stateOf ({ timeRemaining }: Torrent): Pick<RunState, 'waiting' | 'state' | 'remark' | 'timeLeftMs'> {
  return { waiting: [], state: null, remark: null, timeLeftMs: Number.isFinite(timeRemaining) ? timeRemaining : null }
}

function signedLine ({ signers }: Judgement): string | null {
  const told = signers.map(({ key, label, standing }) =>
    `${label ?? `${key.slice(0, 16)}…`}${standing === 'trusted' || standing === 'limited' ? ', whom you trust' : ', a key that you do not know'}`)
  return told.length === 0 ? null : `Signed by ${told.join('; ')}.`
}

function unheard (err: Error, { host, port }: HostPort): BitWorkerError {
  const cause = explain(err)
  return cause instanceof BitWorkerError
    ? new BitWorkerError(cause.code, 'usage', `--ui ${host}:${port}: ${cause.message}`, { cause: err })
    : new BitWorkerError('BW_ERR_ADDRESS', 'usage', `--ui ${host}:${port}: This machine cannot listen there: ${err.message}.`, { cause: err })
}
