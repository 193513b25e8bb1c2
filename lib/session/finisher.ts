/**
 * Makes finished files of stored pieces: one file at a time, each as soon as its last part is stored. The store knows
 * how a file is finished (complete command or concatenation, atomically).
 */
import { CommandError, isInputGone } from '../base/errors.ts'
import type { FinishedFile, PieceStore } from '../store/types.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { Progress } from './progress.ts'
import type { SessionHost } from './session-host.ts'

type FileState = 'open' | 'finishing' | 'finished' | 'unmerged' | 'failed'

/** The files of one task. */
export class Finisher {
  readonly #task: Task
  readonly #store: Pick<PieceStore, 'finishFile'>
  readonly #completes: boolean
  readonly #progress: Progress
  readonly #host: SessionHost
  readonly #states: FileState[]
  /** how often each file was reopened: what ends later was made of other parts */
  readonly #reopened: Uint32Array
  readonly #mayFinish: (file: number) => boolean
  /** files whose parts are all stored, and may not be finished yet */
  readonly #held = new Set<number>()
  readonly #abort = new AbortController()
  #queue: Promise<void> = Promise.resolve()
  #open: number
  #mayRun = false

  /**
   * @param parts `completes`: whether complete commands may be allowed at all
   * @param mayFinish whether the parts of a file are believed; `release` is called when that may have changed for all
   */
  constructor (
    task: Task,
    { store, completes = true }: { store: Pick<PieceStore, 'finishFile'>, completes?: boolean },
    progress: Progress,
    host: SessionHost,
    mayFinish: (file: number) => boolean = () => true
  ) {
    this.#mayFinish = mayFinish
    this.#task = task
    this.#store = store
    this.#completes = completes
    this.#progress = progress
    this.#host = host
    this.#states = task.files.map(() => 'open')
    this.#reopened = new Uint32Array(task.files.length)
    this.#open = task.files.length
  }

  /** True if a file lacks only its complete command, which may be allowed to run. */
  get hasUnmerged (): boolean { return this.#completes && this.#states.includes('unmerged') }

  /** A complete command is running, or one has failed: it is unknown when the files will be finished. */
  get isOpenEnded (): boolean {
    const isRunning = this.#mayRun && this.#task.completeCommand !== undefined && this.#states.includes('finishing')
    return isRunning || this.#states.includes('failed')
  }

  /** Allows complete commands. Those that were not allowed, or failed before, are run. */
  allowCommands (): void {
    this.#mayRun = this.#completes
    this.#states.forEach((state, file) => { if (state === 'unmerged' || state === 'failed') this.#set(file, 'open') })
    this.checkAll()
  }

  /** No complete command is started from now on; a running one continues. */
  forbidCommands (): void {
    this.#mayRun = false
  }

  /** A piece was stored: its file may be complete. */
  check (index: number): void {
    this.#consider(locate(this.#task, index).file)
  }

  checkAll (): void {
    for (let file = 0; file < this.#states.length; file++) this.#consider(file)
  }

  /** Considers the files again that were not to be finished. */
  release (): void {
    const held = [...this.#held]
    this.#held.clear()
    for (const file of held) this.#consider(file)
  }

  /** Compares the finished files with their records, and makes those again that were changed. */
  async recheck (): Promise<void> {
    this.#states.forEach((state, file) => { if (state === 'finished') this.#set(file, 'open') })
    this.checkAll()
    await this.#queue
  }

  /** A piece of the file was lost. */
  reopen (index: number): void {
    const { file } = locate(this.#task, index)
    this.#reopened[file]!++
    this.#set(file, 'open')
  }

  /** Kills a running complete command. Resolves when nothing is running. */
  async stop (): Promise<void> {
    this.#abort.abort()
    await this.#queue
  }

  #consider (file: number): void {
    if (this.#states[file] !== 'open' || this.#abort.signal.aborted || this.#progress.fraction(file) < 1) return
    if (!this.#mayFinish(file)) return void this.#held.add(file)
    this.#set(file, 'finishing')
    const round = this.#reopened[file]!
    this.#queue = this.#queue.then(() => this.#finish(file, round)).catch((err: unknown) => {
      // thrown by a listener: it must not be swallowed, and must prevent neither other files from being finished nor
      // `stop` from resolving
      queueMicrotask(() => { throw err })
    })
  }

  async #finish (file: number, round: number): Promise<void> {
    if (this.#abort.signal.aborted || this.#reopened[file] !== round) return
    let finished: FinishedFile | null
    if (this.#mayRun && this.#task.completeCommand !== undefined) this.#host.report('completing', { file })
    try {
      finished = await this.#store.finishFile(file, { run: this.#mayRun, signal: this.#abort.signal })
    } catch (err) {
      // if a part was lost, this was not a failure: the file is made again
      if (!this.#abort.signal.aborted && this.#reopened[file] === round) this.#onError(file, err as Error)
      return this.checkDone()
    }
    if (this.#reopened[file] !== round) return // a part was lost in the meantime
    this.#set(file, finished === null ? 'unmerged' : 'finished')
    this.#host.fileFinished(file, finished)
    this.checkDone()
  }

  #onError (file: number, err: Error): void {
    if (isInputGone(err)) return this.#wait(file)
    this.#set(file, 'failed')
    if (!(err instanceof CommandError)) return this.#host.broken(err)
    const { code, exitCode, signal, stderr, cost, message } = err
    this.#host.report('failed', {
      piece: null, file, code, exitCode, signal, stderr, ...cost, message, final: true
    })
  }

  /** What its complete command reads is not stored: the next run waits until it is, or until commands are allowed. */
  #wait (file: number): void {
    this.#set(file, this.#mayRun ? 'open' : 'unmerged')
    this.#consider(file)
  }

  #set (file: number, state: FileState): void {
    const openness = (of: FileState): number => of === 'open' || of === 'finishing' ? 1 : 0
    this.#open += openness(state) - openness(this.#states[file]!)
    this.#states[file] = state
  }

  /** Tells the host if no file is open, even if it was told before. */
  checkDone (): void {
    if (this.#open > 0 || this.#abort.signal.aborted) return
    if (this.#states.includes('failed')) this.#host.report('stuck', { pieces: [] })
    else this.#host.done()
  }
}
