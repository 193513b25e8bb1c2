/** Verify and compare commands that run, a few at a time, with a time limit. Used by verifier.ts and comparer.ts. */
import type { Clock } from '../base/clock.ts'
import type { Judgement, Judging } from '../store/types.ts'

/** Computing a piece is no slower than to wait longer than it takes, or than this. */
const MIN_LIMIT_MS = 10_000

/** How long a command about a piece may take, if computing the piece takes `paceMs` (0: unknown). Milliseconds. */
export function limitMs (paceMs: number): number { return Math.max(MIN_LIMIT_MS, paceMs) }

/** One run of a command: killed when it has taken too long, not counting pauses. */
export class JudgeRun {
  readonly #clock: Clock
  #judging: Judging | null = null
  #leftMs: number
  #since: number
  #cancel: () => void = () => {}
  #isPaused = false
  /** it was killed because it took too long; because of `stop` */
  isLate = false
  isStopped = false

  constructor (clock: Clock, ms: number) {
    this.#clock = clock
    this.#leftMs = ms
    this.#since = clock.now()
  }

  async of (judging: Judging): Promise<Judgement> {
    this.#judging = judging
    this.#arm()
    return judging.done
  }

  pause (): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#cancel()
    this.#leftMs -= this.#clock.now() - this.#since
    this.#judging?.pause()
  }

  resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#judging?.resume()
    this.#arm()
  }

  stop (): void {
    this.isStopped = true
    this.#judging?.kill()
  }

  end (): void { this.#cancel() }

  #arm (): void {
    this.#since = this.#clock.now()
    this.#cancel = this.#clock.after(Math.max(0, this.#leftMs), () => {
      this.isLate = true
      this.#judging?.kill()
    })
  }
}

/** The runs of one command: at most one for each slot, paused and stopped together. */
export class JudgeRuns {
  readonly #clock: Clock
  readonly #running = new Set<JudgeRun>()
  #slots = 0
  #isPaused = false

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Another run may begin. */
  get hasRoom (): boolean { return !this.#isPaused && this.#running.size < this.#slots }

  /** False before `start`, and after `stop`. */
  get isOn (): boolean { return this.#slots > 0 }

  /** Commands may run, this many at a time. */
  start (slots: number, isPaused: boolean): void {
    this.#slots = slots
    this.#isPaused = isPaused
  }

  pause (): void {
    this.#isPaused = true
    for (const run of this.#running) run.pause()
  }

  resume (): void {
    this.#isPaused = false
    for (const run of this.#running) run.resume()
  }

  /** Commands may not run any more. */
  stop (): void {
    this.#slots = 0
    for (const run of this.#running) run.stop()
  }

  /** A run of at most so many milliseconds. It has its place until `end`. */
  begin (ms: number): JudgeRun {
    const run = new JudgeRun(this.#clock, ms)
    this.#running.add(run)
    return run
  }

  end (run: JudgeRun): void {
    run.end()
    this.#running.delete(run)
  }
}
