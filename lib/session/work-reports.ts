/** The reports of a task's work items: for each, one `computing`, then one of `computed`, `failed`, `aborted`. */
import type { CommandError } from '../base/errors.ts'
import type { Result } from '../results/result.ts'
import { EarlyStop } from './early-stop.ts'
import { pieceResult } from './events.ts'
import type { ComputedEvent } from './events.ts'
import type { SessionHost } from './session-host.ts'
import { SlotReports } from './slot-reports.ts'

/** The reports of one round of computing. */
export class WorkReports {
  readonly #host: SessionHost
  readonly #items: SlotReports
  readonly #earlyStop: EarlyStop

  constructor (slots: number, host: SessionHost) {
    this.#host = host
    this.#items = new SlotReports(slots, piece => { host.report('computing', { piece }) })
    this.#earlyStop = new EarlyStop(slots)
  }

  /** The number of work items reported as started, and not as ended. */
  get running (): number { return this.#items.running }

  begun (piece: number): void { this.#items.begin(piece) }

  computed (piece: number, result: Result, { ms, stderr }: Pick<ComputedEvent, 'ms' | 'stderr'>): void {
    this.#earlyStop.succeeded()
    this.#items.end(piece, () => { this.#host.report('computed', { ...pieceResult(piece, result), ms, stderr }) })
  }

  aborted (piece: number, reason: string): void {
    this.#items.end(piece, () => { this.#host.report('aborted', { piece, reason }) })
  }

  /**
   * @param final the piece is not tried again here
   * @param elsewhere whether anyone has a result of any piece
   * @returns true if the round should end because all pieces fail; that has been reported, too
   */
  failed (piece: number, err: CommandError, final: boolean, elsewhere: () => boolean): boolean {
    const { code, exitCode, signal, stderr, message } = err
    this.#items.end(piece, () => {
      this.#host.report('failed', { piece, code, exitCode, signal, stderr, message, final })
    })
    const hopeless = this.#earlyStop.failed(piece, err, elsewhere)
    if (hopeless !== null) this.#host.report('hopeless', hopeless)
    return hopeless !== null
  }
}
