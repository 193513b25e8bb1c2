/**
 * The reports of a task's work items: for each, one `computing`, then one of `computed`, `failed`, `aborted`. Pure.
 */
import type { CommandError } from '../base/errors.ts'
import type { Result } from '../results/result.ts'
import type { Generated } from '../store/types.ts'
import { pieceResult } from './events.ts'
import type { HopelessEvent } from './events.ts'
import type { SessionHost } from './session-host.ts'

/**
 * This many of the first pieces must fail in the same way; or as many as there are slots, since these start before
 * anything is known.
 */
const MIN_PIECES = 3
/** This many times as many if others have results, which show that the command can work. */
const DOUBTS = 3

/** What is reported of a run that gave a result. */
export type RunReport = Pick<Generated, 'ms' | 'cpuMs' | 'memoryBytes' | 'stderr'>

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

  computed (piece: number, result: Result, { ms, cpuMs = null, memoryBytes = null, stderr }: RunReport): void {
    this.#earlyStop.succeeded()
    this.#items.end(piece, () => {
      this.#host.report('computed', { ...pieceResult(piece, result), ms, cpuMs, memoryBytes, stderr })
    })
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
    const { code, exitCode, signal, stderr, cost, message } = err
    this.#items.end(piece, () => {
      this.#host.report('failed', { piece, code, exitCode, signal, stderr, ...cost, message, final })
    })
    const hopeless = this.#earlyStop.failed(piece, err, elsewhere)
    if (hopeless !== null) this.#host.report('hopeless', hopeless)
    return hopeless !== null
  }
}

interface Item {
  readonly index: number
  isShown: boolean
  /** reports its end; null while it runs */
  tellEnd: (() => void) | null
}

/**
 * Decides when a work item is reported as started and ended. A slot is free as soon as its command has ended, and the
 * next item starts while the piece is still being stored. Reported as it happens, more items would run than there are
 * slots, and the next would start before the last has ended. Therefore the start of an item is reported only when a
 * slot has been reported as free.
 */
export class SlotReports {
  readonly #slots: number
  readonly #tellBegin: (index: number) => void
  /** items whose end is not known yet */
  readonly #open = new Map<number, Item>()
  /** items whose start has not been reported, in order */
  #waiting: Item[] = []
  #shown = 0

  /** @param tellBegin called when an item's start is to be reported */
  constructor (slots: number, tellBegin: (index: number) => void) {
    this.#slots = slots
    this.#tellBegin = tellBegin
  }

  /** The number of items reported as started, and not as ended; never more than slots. */
  get running (): number { return this.#shown }

  /** The piece's item has started. */
  begin (index: number): void {
    const item: Item = { index, isShown: false, tellEnd: null }
    this.#open.set(index, item)
    this.#waiting.push(item)
    this.#tell()
  }

  /** The piece's item has ended. `tell` is called now, or after its start has been reported. */
  end (index: number, tell: () => void): void {
    const item = this.#open.get(index)
    this.#open.delete(index)
    if (item !== undefined && !item.isShown) {
      item.tellEnd = tell
      return
    }
    if (item !== undefined) this.#shown--
    tell()
    this.#tell()
  }

  #tell (): void {
    while (this.#shown < this.#slots) {
      const item = this.#waiting.shift()
      if (item === undefined) return
      item.isShown = true
      this.#shown++
      this.#tellBegin(item.index)
      if (item.tellEnd === null) continue
      this.#shown--
      item.tellEnd()
    }
  }
}

/**
 * Decides whether to stop after nothing but failures: if a program is missing or the command is wrong, the last piece
 * of a thousand fails like the first.
 */
export class EarlyStop {
  readonly #limit: number
  readonly #pieces = new Set<number>()
  #reason: string | null = null
  #isOver = false

  constructor (slots: number) {
    this.#limit = Math.max(MIN_PIECES, slots)
  }

  /** A work item ended with a result: failures are now the fault of single pieces. */
  succeeded (): void {
    this.#isOver = true
  }

  /**
   * A work item failed. Returns the event to report if that was one too many; once.
   * @param elsewhere whether anyone has a result of any piece
   */
  failed (
    index: number, { code, exitCode, signal, stderr, message }: CommandError, elsewhere: () => boolean
  ): HopelessEvent | null {
    if (this.#isOver) return null
    const reason = `${code} ${exitCode} ${signal}`
    this.#reason ??= reason
    // it failed in another way
    if (reason !== this.#reason) this.#isOver = true
    this.#pieces.add(index)
    if (this.#isOver || this.#pieces.size < this.#limit) return null
    const hasWorked = elsewhere()
    if (hasWorked && this.#pieces.size < DOUBTS * this.#limit) return null
    this.#isOver = true
    const pieces = [...this.#pieces].sort((a, b) => a - b)
    const others = hasWorked ? 'Other peers have results, so something is missing on this machine. ' : ''
    return {
      code: 'BW_ERR_HOPELESS',
      message: `The first ${pieces.length} pieces all failed in the same way, so no more are computed here. ${others}${message}`,
      pieces,
      exitCode,
      signal,
      stderr
    }
  }
}
