/**
 * Has the store run the task's compare command on an own result and the stored one, a few at a time. Owned by
 * own-results.ts.
 */
import type { Clock } from '../base/clock.ts'
import { BitWorkerError } from '../base/errors.ts'
import type { Judging, OwnResult, PieceStore } from '../store/types.ts'
import { JudgeRuns, limitMs } from './judge-run.ts'
import type { JudgeRun } from './judge-run.ts'

/** `unknown`: the command cannot tell. `stopped`: no command may run (any more); nothing is known. */
export type Compared = 'same' | 'different' | 'unknown' | 'stopped'

/** The parts that the comparer uses. */
export interface ComparerParts {
  readonly store: Pick<PieceStore, 'compare'>
  readonly clock: Clock
}

/** So many times in a row that the command cannot tell are worth a warning. */
const MAX_UNKNOWN = 3

/** The comparisons of one task. */
export class Comparer {
  readonly #parts: ComparerParts
  readonly #warn: (err: BitWorkerError) => void
  readonly #runs: JudgeRuns
  readonly #waiting: Array<{ start: () => void, stop: () => void }> = []
  #unknown = 0

  /** @param warn told once if the command cannot tell again and again */
  constructor (parts: ComparerParts, warn: (err: BitWorkerError) => void) {
    this.#parts = parts
    this.#warn = warn
    this.#runs = new JudgeRuns(parts.clock)
  }

  /** Commands may run, this many at a time. */
  start (slots: number, isPaused: boolean): void {
    this.#runs.start(slots, isPaused)
    this.#next()
  }

  pause (): void { this.#runs.pause() }

  resume (): void {
    this.#runs.resume()
    this.#next()
  }

  /** Commands may not run any more. */
  stop (): void {
    this.#runs.stop()
    for (const { stop } of this.#waiting.splice(0)) stop()
  }

  /** Compares the stored result of the piece with an own one. */
  async compare (index: number, own: OwnResult): Promise<Compared> {
    const compared = await new Promise<Compared>(resolve => {
      if (!this.#runs.isOn) return resolve('stopped')
      this.#waiting.push({ start: () => { void this.#run(index, own).then(resolve) }, stop: () => { resolve('stopped') } })
      this.#next()
    })
    return compared
  }

  #next (): void {
    while (this.#runs.hasRoom) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      next.start()
    }
  }

  async #run (index: number, own: OwnResult): Promise<Compared> {
    const limit = limitMs(own.ms)
    const run = this.#runs.begin(limit)
    let compared: Compared = 'stopped'
    try {
      compared = await this.#ask(run, this.#parts.store.compare?.(index, own))
    } catch {
      // killed, by us or with the store, or the store is closed
      if (run.isLate) compared = this.#cannotTell(new Error(`it takes more than ${limit / 1000} s`))
    }
    this.#runs.end(run)
    this.#next()
    return compared
  }

  async #ask (run: JudgeRun, judging: Judging | undefined): Promise<Compared> {
    if (judging === undefined) return 'unknown'
    const judgement = await run.of(judging)
    if (judgement.verdict === 'unknown') return this.#cannotTell(judgement.why)
    this.#unknown = 0
    return judgement.verdict === 'right' ? 'same' : 'different'
  }

  #cannotTell (why: Error): 'unknown' {
    if (++this.#unknown === MAX_UNKNOWN) this.#warn(cannotCompare(why))
    return 'unknown'
  }
}

function cannotCompare (why: Error): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_COMPARE_COMMAND',
    'command',
    `The task's compare command cannot tell whether results are the same (${why.message.replace(/\.$/, '')}). What is computed here counts, and results of others go unchecked. Correct the machine or the task.`,
    { cause: why }
  )
}
