/**
 * A warm shell: a bash that waits for jobs and forks a subshell for each, which costs a fraction of a new bash. It
 * leads a session of its own, in which each item is a process group. It runs one item at a time, and only items of one
 * command. Made and kept by WarmShells (warm-shells.ts), used by BashItem.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import process from 'node:process'
import { commandEnv } from '../env.ts'
import type { CaptureFile } from '../process/capture-file.ts'
import { signalGroup } from '../process/sessions.ts'
import { favourLeast } from '../process/spawn.ts'
import type { StderrTail } from '../process/stderr.ts'
import type { WorkItem } from '../types.ts'
import { decodeEnd, encodeJob, loopArgs } from './warm-job.ts'
import type { Reused, WarmEnd } from './warm-job.ts'

/** Options of WarmShell. */
export interface WarmShellOptions {
  shell: string
  parentEnv: NodeJS.ProcessEnv
  /** the first item: the others have the same command and names of variables */
  work: WorkItem
  /** receives the items' stderr */
  stderr: StderrTail
  /** receives the shell's own messages */
  log: CaptureFile
}

/** One warm shell. */
export class WarmShell implements Reused {
  readonly stderr: StderrTail
  readonly log: CaptureFile
  readonly #child: ChildProcess
  readonly #jobs: Socket
  readonly #answers: Socket
  readonly #base: Record<string, string>
  #onEnd: ((end: WarmEnd) => void) | null = null
  #text = ''
  #isGone = false
  #isKilled = false

  /** Starts the shell; whether that worked shows with the first item. Throws the errors of spawn(). */
  constructor ({ shell, parentEnv, work, stderr, log }: WarmShellOptions) {
    this.stderr = stderr
    this.log = log
    this.#base = work.env
    this.#child = spawn(shell, loopArgs(shell, work.command), {
      cwd: '/',
      env: commandEnv(parentEnv, '/', work.env),
      detached: true,
      stdio: ['pipe', 'pipe', log.fd, stderr.write]
    })
    stderr.release()
    if (this.#child.pid !== undefined) favourLeast(this.#child.pid)
    // pipes are sockets here, which their declared types do not show
    this.#jobs = this.#child.stdin as unknown as Socket
    this.#answers = this.#child.stdout as unknown as Socket
    this.#jobs.on('error', () => {}) // EPIPE: 'exit' tells the same
    this.#answers.setEncoding('latin1').on('data', (text: string) => this.#onText(text)).on('error', () => {})
    this.#child.on('error', () => this.#onExit(null))
    this.#child.on('exit', (_code, signal) => this.#onExit(signal))
    this.#jobs.unref()
    this.#ref(false)
  }

  /** pid of its process, session and process group; undefined if it could not be started */
  get pid (): number | undefined { return this.#child.pid }

  /** Its process has ended. */
  get isGone (): boolean { return this.#isGone }

  /** It takes no more items. */
  get isDoomed (): boolean { return this.#isGone || this.#isKilled }

  hasLeft (end: WarmEnd): boolean { return this.isDoomed || (end !== 'unsaid' && end.hasLeft) }

  /** Kills the shell, and its item with it; whether the item had already ended is determined later. */
  kill (): void {
    this.#isKilled = true
    if (this.pid !== undefined) signalGroup(this.pid, 'SIGKILL')
  }

  /**
   * Runs an item. `stdout` is our open pipe for its stdout, which must stay open until it has ended. `onEnd` is called
   * once; if this returns false, it is not called, and the item needs a fresh shell.
   */
  run (work: WorkItem, stdout: number, onEnd: (end: WarmEnd) => void): boolean {
    const job = this.isDoomed ? null : encodeJob(work, `/proc/${process.pid}/fd/${stdout}`, this.#base)
    if (job === null) return false
    this.#onEnd = onEnd
    this.#ref(true)
    this.#jobs.write(job, 'latin1')
    return true
  }

  /** Ends the shell. Resolves when its process has ended. */
  async close (): Promise<void> {
    if (this.#isGone) return
    const exit = once(this.#child, 'exit')
    this.#ref(true)
    this.kill()
    await exit.catch(() => {})
  }

  #onText (text: string): void {
    this.#text += text
    if (!this.#text.endsWith('\n')) return
    const answer = this.#text.trimEnd()
    this.#text = ''
    this.#end(decodeEnd(answer, () => this.log.take()))
  }

  #onExit (signal: NodeJS.Signals | null): void {
    if (this.#isGone) return
    this.#isGone = true
    // by a signal: usually the item's, which would have ended a shell of its own. By itself: it could not begin.
    this.#end(signal === null ? 'unsaid' : { exitCode: null, signal, hasLeft: true })
  }

  #end (end: WarmEnd): void {
    const onEnd = this.#onEnd
    this.#onEnd = null
    this.#ref(false)
    onEnd?.(end)
  }

  /** An idle shell does not keep this process alive. */
  #ref (isBusy: boolean): void {
    const how = isBusy ? 'ref' : 'unref'
    this.#child[how]()
    this.#answers[how]()
  }
}
