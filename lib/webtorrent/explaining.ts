/** Gathers what decides why a torrent, or a piece of it, is not going on (lib/explain/). Made by torrent.ts. */
import { availableParallelism } from 'node:os'
import { systemClock } from '../base/clock.ts'
import type { TaskWires } from '../connections/task-wires.ts'
import type { SourceAnswers } from '../discovery/source-answers.ts'
import type { ClaimState, InputState, Obstacle, PieceFailure, PieceState, RunSituation, Situation } from '../explain/situation.ts'
import { DEFAULT_LIMITS } from '../executor/limits.ts'
import { noStats } from '../session/events.ts'
import type { FailedEvent, HopelessEvent, InputEvent, PeerFailedEvent, TaskStats } from '../session/events.ts'
import type { WorkSession } from '../session/work-session.ts'
import { unsupportedProblem } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { ComputeOptions } from './options.ts'
import type { Dht, Wire } from './types.ts'

/** Pieces whose failures are remembered, and failures of other peers for one of them. */
const MAX_PIECES = 1_000
const MAX_ELSEWHERE = 8

/** The part of ComputeTorrent that is read. */
export interface ExplainedTorrent {
  on (event: string, listener: (payload: never) => void): unknown
  readonly client: { readonly torrentPort: number, readonly dht: Dht | false | null }
  readonly wires: readonly Wire[]
  readonly done: boolean
  readonly slots: number
  readonly task: Task | null
  readonly inputs: readonly InputEvent[]
  readonly _session: Pick<WorkSession, 'scheduler' | 'results' | 'stats'> | null
  readonly _sources: SourceAnswers
  readonly _taskWires: TaskWires
  readonly _control: {
    readonly isStarting: boolean
    readonly state: 'off' | 'on' | 'paused'
    readonly problem: Error | null
    readonly options: ComputeOptions | null
  }
  stats (): TaskStats
}

/** What has happened to one torrent, and how it stands. */
export class Explaining {
  readonly #torrent: ExplainedTorrent
  readonly #running = new Map<number, number>()
  readonly #failed = new Map<number, PieceFailure>()
  readonly #elsewhere = new Map<number, PieceFailure[]>()
  #failure: PieceFailure | null = null
  #fileFailure: PieceFailure | null = null
  #hopeless: Obstacle | null = null
  #incoming = 0

  constructor (torrent: ExplainedTorrent) {
    this.#torrent = torrent
    const ended = ({ piece }: { piece: number }): void => { this.#running.delete(piece) }
    torrent.on('computing', ({ piece }: { piece: number }) => { this.#running.set(piece, Date.now()) })
    torrent.on('computed', ended)
    torrent.on('aborted', ended)
    torrent.on('failed', (failure: FailedEvent) => { this.#onFailed(failure) })
    torrent.on('hopeless', ({ code, message }: HopelessEvent) => { this.#hopeless = { code, message } })
    torrent.on('completing', () => { this.#fileFailure = null })
    torrent.on('peerFailed', ({ piece, from: [peer], code, message }: PeerFailedEvent) => {
      const known = this.#elsewhere.get(piece) ?? []
      if (known.length >= MAX_ELSEWHERE || (known.length === 0 && this.#elsewhere.size >= MAX_PIECES)) return
      this.#elsewhere.set(piece, [...known, { code, message, ...(peer !== undefined && { peer }) }])
    })
    torrent.on('wire', ({ type }: Wire) => { if (type?.endsWith('Incoming')) this.#incoming++ })
  }

  #onFailed ({ piece, code, message }: FailedEvent): void {
    const failure = { code, message }
    if (piece === null) {
      this.#fileFailure = failure
      return
    }
    this.#running.delete(piece)
    this.#failure = failure
    this.#failed.delete(piece)
    this.#failed.set(piece, failure)
    if (this.#failed.size > MAX_PIECES) this.#failed.delete(this.#failed.keys().next().value!)
  }

  /** @param run what only the owner of the torrent knows */
  situation (index: number | null, run: Partial<RunSituation>): Situation {
    const { _session, _control, inputs, done, client, wires, _sources, _taskWires } = this.#torrent
    const { options, problem, state, isStarting } = _control
    const { pieces, missing, running, claimed, expected, failed } = _session?.stats() ?? noStats()
    const task = this.#torrent.task
    if (index !== null && task !== null && !(index >= 0 && index < task.pieceCount)) {
      throw new RangeError(`There is no piece ${index}: the task has the pieces 0 to ${task.pieceCount - 1}.`)
    }
    const cannot = problem ?? (task === null ? null : unsupportedProblem(task))
    const isPaused = state === 'paused' && (run.held ?? []).length === 0
    return {
      isKnown: _session !== null,
      done,
      pieces,
      missing,
      running,
      claimed,
      expected,
      givenUp: failed,
      ...this.#counts(),
      slots: options === null ? 0 : this.#torrent.slots || (options.slots ?? availableParallelism()),
      computing: isStarting && state !== 'paused' ? 'settling' : state,
      isFinishing: false,
      asks: false,
      obstacle: cannot === null ? null : obstacleOf(cannot),
      ...run,
      held: isPaused ? [{ code: 'paused', reason: 'on request' }] : run.held ?? [],
      hopeless: this.#hopeless,
      isStuck: (_session?.scheduler.hopeless().length ?? 0) > 0,
      fileFailure: this.#fileFailure,
      checks: run.checks ?? null,
      memoryAsked: task?.memoryBytes ?? 0,
      memoryLimit: options?.limits?.memoryBytes ?? DEFAULT_LIMITS.memoryBytes,
      inputs: inputs.map(inputState),
      failure: this.#failure,
      peers: {
        connected: wires.length,
        port: client.torrentPort,
        incoming: this.#incoming,
        sources: _sources.states(client.dht || null),
        failed: _taskWires.dialler.failed.all
      },
      piece: index === null || _session === null ? null : this.#piece(index, _session)
    }
  }

  #counts (): Pick<Situation, 'waiting' | 'ready' | 'unwanted'> {
    const scheduler = this.#torrent._session?.scheduler
    const counts = { waiting: 0, ready: scheduler?.ready ?? 0, unwanted: 0 }
    for (let index = 0; index < (this.#torrent._session?.stats().pieces ?? 0); index++) {
      if (!scheduler!.isMissing(index)) continue
      if (!scheduler!.isWanted(index)) counts.unwanted++
      else if (scheduler!.isWaiting(index)) counts.waiting++
    }
    return counts
  }

  #piece (index: number, { scheduler, results }: Pick<WorkSession, 'scheduler' | 'results'>): PieceState {
    const since = this.#running.get(index)
    const failure = this.#failed.get(index) ?? null
    const isFinal = scheduler.failures.isFinal(index)
    return {
      index,
      isStored: !scheduler.isMissing(index),
      isWanted: scheduler.isWanted(index),
      runningMs: since === undefined ? scheduler.isRunning(index) ? 0 : null : Date.now() - since,
      claims: Array.from(scheduler.claims.of(index), ([peerId, { startedAt, estimateMs }]): ClaimState => ({
        peer: this.#nameOf(peerId), forMs: Math.max(0, systemClock.now() - startedAt), estimateMs
      })),
      holders: results.holders(index),
      isExpected: scheduler.deliveries.isExpected(index),
      isWaiting: scheduler.isWaiting(index),
      trouble: isFinal
        ? failure === null ? 'left' : 'given-up'
        : scheduler.failures.isWaiting(index) ? 'retry' : 'none',
      failure,
      elsewhere: this.#elsewhere.get(index) ?? []
    }
  }

  #nameOf (peerId: string): string {
    const wire = this.#torrent.wires.find(each => each.peerId === peerId)
    return wire?.remoteAddress === undefined ? `the peer ${peerId}` : `${wire.remoteAddress}:${wire.remotePort}`
  }
}

function inputState ({ name, state, have, length, since, message }: InputEvent): InputState {
  const input: InputState = { name, state, have, length }
  if (since !== undefined) input.forMs = Math.max(0, Date.now() - since)
  if (message !== undefined) input.message = message
  return input
}

function obstacleOf (err: Error): Obstacle { return { code: 'code' in err ? String(err.code) : '', message: err.message } }
