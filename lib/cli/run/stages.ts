/**
 * The tasks whose outputs a task reads, and those whose outputs they read: joined, shown, and computed after the same
 * question. Called by `run`.
 */
import { equalBytes } from '../../base/digest.ts'
import type { Task } from '../../task/task.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { escapeText } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import { reportPieces } from './events.ts'
import { FailureReport } from './failures.ts'
import type { Explain } from './failures.ts'
import { restated } from './remarks.ts'
import type { Remarks } from './remarks.ts'
import { nothingComes } from './waiting.ts'
import { lookupWait } from './waits.ts'
import type { Wait } from './waits.ts'

/** A task that the wanted one needs. */
export interface Stage { torrent: Torrent, task: Task }

/** What stages need of the run. */
export interface StageHost {
  out: JsonOutput
  screen: Screen
  remarks: Remarks
  explain: Explain
}

/** All tasks that one needs. */
export class Stages {
  readonly #host: StageHost
  readonly #found = new Map<string, Stage>()
  readonly #lookups = new Map<string, Wait>()
  readonly #failed: Promise<void>
  #fail = (): void => {}

  constructor (host: StageHost) {
    this.#host = host
    this.#failed = new Promise(resolve => { this.#fail = resolve })
  }

  /** Those that are known, the first ones first. */
  get torrents (): Torrent[] { return Array.from(this.#found.values(), ({ torrent }) => torrent) }

  /** Those whose metadata is not here. */
  get lookups (): Wait[] { return [...this.#lookups.values()] }

  /** Resolves when one of them can never be finished; never, if all can. */
  get failed (): Promise<void> { return this.#failed }

  /**
   * Resolves with all that the torrent's task needs, once their metadata is there, the first ones first; what cannot be
   * joined is left out, and the input is refused. Null: `settled` was aborted meanwhile.
   */
  async gather (torrent: Torrent, settled: AbortSignal): Promise<Stage[] | null> {
    await this.#gather(torrent, settled)
    return settled.aborted ? null : [...this.#found.values()]
  }

  async #gather (torrent: Torrent, settled: AbortSignal): Promise<void> {
    if (torrent.task?.inputs?.some(({ task }) => task !== undefined) !== true) return
    for (const stage of await torrent.stages()) {
      if (settled.aborted) return
      if (this.#found.has(stage.infoHash)) continue
      if (stage.metadata === null) {
        this.#host.screen.note(`Looking up ${stage.infoHash}, whose output ${escapeText(torrent.name)} reads …`)
        this.#lookups.set(stage.infoHash, lookupWait(stage.infoHash, torrent.name, Date.now()))
        await known(stage, settled)
        this.#lookups.delete(stage.infoHash)
      }
      const { task } = stage
      if (task === null || stage.destroyed || settled.aborted || !isMeant(task, torrent.task)) continue
      await this.#gather(stage, settled)
      this.#found.set(stage.infoHash, { torrent: stage, task })
      this.#report(stage)
    }
  }

  #report (stage: Torrent): void {
    const { out, screen, remarks, explain } = this.#host
    // not under its own name: who waits for 'done' waits for the task that he wanted
    const emit = (what: string, fields: object = {}): void => {
      out.emit('stage', { infoHash: stage.infoHash, what, ...fields })
    }
    const name = escapeText(stage.name)
    const failures = new FailureReport({
      explain, note: text => { screen.note(`${name}: ${text}`) }, remark: lines => { remarks.add('failures', lines) }, emit
    })
    reportPieces(stage, failures, { emit }, remarks)
    stage.on('warning', ({ message }) => { remarks.add('warnings', [`Warning: ${name}: ${restated(message)}`]) })
    stage.on('done', () => {
      emit('done')
      screen.note(`${name}: done`)
    })
    const fail = (why: string): void => {
      failures.tell()
      screen.note(`${name}: ${why}`)
      void nothingComes(stage).then(() => { this.#fail() })
    }
    stage.on('stuck', ({ pieces }) => {
      emit('stuck', { pieces })
      if (pieces.length === 0) this.#fail()
      fail('Nothing is left to do here: no connected peer has the failed pieces.')
    })
    stage.on('hopeless', hopeless => {
      emit('hopeless', hopeless)
      fail(failures.describeHopeless(hopeless))
    })
  }
}

/** Whether it is the task whose output the other one reads: who signed that one vouches for this one. */
function isMeant ({ digest, infoHash }: Task, { inputs = [] }: Task): boolean {
  return inputs.some(({ task }) => task?.infoHash === infoHash && equalBytes(task.digest, digest))
}

async function known (stage: Torrent, settled: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const done = (): void => { resolve() }
    stage.once('metadata', done)
    stage.once('close', done)
    settled.addEventListener('abort', done)
    if (settled.aborted) done()
  })
}

/** How far the tasks are that others wait for; null: all are done. */
export function stagesLeft (stages: readonly Torrent[]): string | null {
  const left = stages.filter(stage => !stage.destroyed && stage.stats().missing > 0).map(stage => {
    const { stored, pieces } = stage.stats()
    return `${escapeText(stage.name)} ${stored}/${pieces}`
  })
  return left.length === 0 ? null : `before it: ${left.join(', ')}`
}
