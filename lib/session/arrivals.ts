/** Pieces that have come from peers: judged where a verify command runs, then stored. Owned by piece-flow.ts. */
import type { IncomingDraft } from '../download/download-host.ts'
import type { Neighbours } from '../peers/neighbours.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Computing } from './computing.ts'
import { pieceResult } from './events.ts'
import type { SessionHost } from './session-host.ts'
import type { Verdict } from './verifier.ts'
import type { Vetting } from './vetting.ts'

/** While so many pieces, or bytes, wait for a verdict, no more are requested: each is a draft on disk. */
const MAX_UNJUDGED_PIECES = 256
const MAX_UNJUDGED_BYTES = 256 << 20

/** The parts that are used. */
export interface ArrivalParts {
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly neighbours: Neighbours
  readonly computing: Computing
  readonly vetting: Vetting
}

/** The downloaded pieces of one task. */
export class Arrivals {
  readonly #parts: ArrivalParts
  readonly #session: Pick<SessionHost, 'report' | 'broken'>
  readonly #stored: (index: number, result: Result, sources: TaskPeer[]) => void
  /** pieces that are being verified, or written to disk */
  readonly #storing = new Set<number>()
  #count = 0
  #unjudged = 0
  #unjudgedBytes = 0
  #isClosed = false

  /** @param stored called with each piece that was stored, and the peers that it came from */
  constructor (
    parts: ArrivalParts, session: Pick<SessionHost, 'report' | 'broken'>,
    stored: (index: number, result: Result, sources: TaskPeer[]) => void
  ) {
    this.#parts = parts
    this.#session = session
    this.#stored = stored
  }

  /** The number of pieces that were downloaded and stored. */
  get count (): number { return this.#count }

  /** The piece has come, and is not stored yet. */
  has (index: number): boolean { return this.#storing.has(index) }

  /** No more pieces are to be requested: too many wait for a verdict. */
  get isFull (): boolean { return this.#unjudged >= MAX_UNJUDGED_PIECES || this.#unjudgedBytes >= MAX_UNJUDGED_BYTES }

  close (): void { this.#isClosed = true }

  /** A piece has come whose bytes match its digest. */
  async add (index: number, result: Result, draft: IncomingDraft, peers: Iterable<TaskPeer>): Promise<void> {
    const { results, scheduler, neighbours, computing, vetting } = this.#parts
    const sources = [...peers]
    let share = result.size / sources.length
    let verdict: Verdict = 'unjudged'
    if (vetting.verifier.isOn) {
      this.#storing.add(index)
      for (const peer of sources) scheduler.deliveries.transferred(peer.holder, share)
      share = 0
      this.#unjudged++
      this.#unjudgedBytes += result.size
      verdict = await vetting.downloaded(index, result, draft, sources)
      this.#unjudged--
      this.#unjudgedBytes -= result.size
      this.#storing.delete(index)
      if (this.#isClosed) return
      if (verdict !== 'right' && verdict !== 'unjudged') return computing.run()
      if (!scheduler.isMissing(index)) return // computed in the meantime
    }
    if (result.size > 0) for (const peer of sources) neighbours.delivered(peer, share)
    computing.abort(index, 'it was downloaded')
    if (results.has(index)) return // computed in the meantime
    this.#storing.add(index)
    let stored: Result
    try {
      // if a work item here was faster, its piece stays
      stored = await draft.commit(result)
    } catch (err) {
      this.#session.broken(err as Error)
      return
    } finally {
      this.#storing.delete(index)
    }
    // a work item that was faster reports its piece itself
    if (this.#isClosed || results.has(index) || !sameResult(stored, result)) return
    if (verdict === 'right') vetting.confirm(index)
    this.#count++
    this.#session.report('downloaded', { ...pieceResult(index, stored), from: sources.map(({ name }) => name) })
    // commands may run since it was written
    if (verdict === 'unjudged' && vetting.restored(index, stored)) return
    this.#stored(index, stored, sources)
  }
}
