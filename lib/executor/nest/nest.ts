/**
 * A nest: a sandbox in which sandboxes are made, one for each work item, at less cost than from outside. It receives
 * the pipes for its items' stdout when it is made, because it cannot be given any later. Made and kept by NestPool
 * (nest-pool.ts), used by BashItem. sandbox/nest-script.ts runs inside.
 */
import { closeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Group } from '../cgroup/group.ts'
import type { Launch } from '../launch.ts'
import { closeFifo } from '../process/fifos.ts'
import type { Fifo } from '../process/fifos.ts'
import { signalGroup } from '../process/sessions.ts'
import { spawnLaunch } from '../process/spawn.ts'
import type { LaunchedProcess } from '../process/spawn.ts'
import { StderrTail } from '../process/stderr.ts'
import type { WorkItem } from '../types.ts'
import type { Reused, WarmEnd } from '../warm/warm-job.ts'

/** Items per nest: the more, the smaller the share of its setup; each needs two open files. */
const PARTS = 32
/** Items with more variables than this do not use nests. */
const MAX_JOB_BYTES = 16 * 1024

/** Options of Nest. */
export interface NestOptions {
  takeFifo: () => Fifo
  /** how it is started; `parts` are the writing ends for its items' stdout */
  launch: (parts: number[]) => Launch
  onStart: (pgid: number) => void
  /** none of its processes is left */
  onGone: (nest: Nest) => void
}

/** One nest. */
export class Nest implements Reused {
  readonly stderr: StderrTail
  readonly #parts: Fifo[] = []
  readonly #launched: LaunchedProcess
  readonly #gone: Promise<void>
  #isBusy = false
  #onEnd: ((end: WarmEnd) => void) | null = null
  #text = ''
  #isReady = false
  /** a sandbox has read the item's variables */
  #hasBegun = false
  #hasFailed = false
  #isGone = false
  #isDoomed = false

  /** Starts the nest. Throws if it cannot be made; if it cannot be started, `onGone` follows soon. */
  constructor ({ takeFifo, launch, onStart, onGone }: NestOptions) {
    this.stderr = new StderrTail(takeFifo())
    let made: Launch
    try {
      for (let i = 0; i < PARTS; i++) this.#parts.push(takeFifo())
      made = launch(this.#parts.map(({ write }) => write))
    } catch (err) {
      for (const fifo of this.#parts) closeFifo(fifo)
      this.stderr.close()
      throw err
    }
    this.#launched = spawnLaunch(made, 'pipe', this.stderr.write, onStart)
    for (const fifo of this.#parts) fifo.write = -1 // they were closed after spawning
    this.stderr.release()
    const { child, failed } = this.#launched
    child?.stdin?.on('error', () => {}) // EPIPE: 'exit' tells the same
    child?.stdout?.setEncoding('latin1').on('data', (text: string) => { this.#onText(text) }).on('error', () => {})
    void failed.then(() => { this.#fail() })
    const ended = child?.pid === undefined
      ? failed
      : new Promise(resolve => { child.once('close', resolve) }) // not 'exit', which may come before its last answer
    this.#gone = ended.then(async () => this.#launched.settle()).then(() => {
      this.#onGone()
      onGone(this)
    })
    this.#ref(false)
  }

  /** pid of its process, session and process group; undefined if it could not be started */
  get pid (): number | undefined { return this.#launched.pid }

  /** It failed to make a sandbox. */
  get hasFailed (): boolean { return this.#hasFailed }

  /** None of its processes is left. */
  get isGone (): boolean { return this.#isGone }

  get group (): Group | undefined { return this.#launched.launch.group }

  /** It is ready for an item. */
  get isIdle (): boolean { return this.#isReady && !this.#isDoomed && !this.isBusy && this.#parts.length > 0 }

  /** It runs an item. */
  get isBusy (): boolean { return this.#isBusy }

  /** The number of items that it can still take. */
  get left (): number { return this.#isDoomed ? 0 : this.#parts.length }

  /** Assigns the next stdout pipe to the item; null if the item is not suitable for a nest. */
  adopt ({ env }: WorkItem): Fifo | null {
    if (encodeJob(env) === null) return null
    this.#isBusy = true
    return this.#parts.shift()!
  }

  /** Runs the item that was assigned the pipe; `onEnd` is called once. */
  run (env: Record<string, string>, onEnd: (end: WarmEnd) => void): void {
    this.#onEnd = onEnd
    this.#ref(true)
    this.#launched.child?.stdin?.write(encodeJob(env)!)
  }

  /** Nothing: the kernel ended all processes of the item before its end was reported. */
  hasLeft (): boolean { return false }

  /** Kills the nest with its item, whose end is reported when nothing of either is left. */
  kill (): void {
    this.#isDoomed = true
    if (this.pid !== undefined && !this.#isGone) signalGroup(this.pid, 'SIGKILL')
  }

  /** Ends the nest. Resolves when none of its processes is left. */
  async close (): Promise<void> {
    this.#ref(true)
    this.kill()
    await this.#gone
  }

  #onText (text: string): void {
    this.#text += text
    const lines = this.#text.split('\n')
    this.#text = lines.pop()!
    for (const line of lines) this.#onAnswer(line)
  }

  #onAnswer (line: string): void {
    if (this.#isDoomed) return
    if (line === 'r') this.#isReady = true
    else if (line === 'x') this.#fail()
    else if (line === 's') this.#hasBegun = true
    else this.#onEnded(Number(line))
  }

  #onEnded (code: number): void {
    const end = this.#launched.launch.ended?.(code) ?? { exitCode: code, signal: null }
    // it was killed while idle (by the kernel, for lack of memory): the next sandbox would take this item for its own
    if (!this.#hasBegun) return this.#fail()
    this.#hasBegun = false
    this.#end({ hasLeft: false, ...end })
  }

  /** It failed to make the sandbox for an item. */
  #fail (): void {
    this.#hasFailed = true
    this.kill()
  }

  #onGone (): void {
    if (!this.#isDoomed && !this.#isReady) this.#hasFailed = true
    this.#isGone = this.#isDoomed = true
    this.#clear()
    this.stderr.close()
    // unless it failed, the item may have written output: it cannot be restarted
    this.#end(this.#hasFailed ? 'unsaid' : { exitCode: null, signal: 'SIGKILL', hasLeft: false })
  }

  #end (end: WarmEnd): void {
    const onEnd = this.#onEnd
    if (onEnd === null) return
    this.#onEnd = null
    this.#ref(false)
    this.#isBusy = false
    onEnd(end)
  }

  /** Closes the pipes that no item has used. */
  #clear (): void {
    for (const { read } of this.#parts.splice(0)) closeSync(read)
  }

  /** An idle nest does not keep this process alive. */
  #ref (isBusy: boolean): void {
    const how = isBusy ? 'ref' : 'unref'
    const { child } = this.#launched
    child?.[how]()
    // pipes are sockets here, which their declared types do not show
    const [stdin, stdout] = [child?.stdin, child?.stdout] as unknown as Array<Socket | null | undefined>
    stdin?.[how]()
    stdout?.[how]()
  }
}

/** The variables, terminated by an empty one; null if they cannot be encoded. */
function encodeJob (env: Record<string, string>): string | null {
  const entries = Object.entries(env)
  if (entries.some(([name, value]) => name === '' || name.includes('=') || `${name}${value}`.includes('\0'))) {
    return null
  }
  const job = entries.map(([name, value]) => `${name}=${value}\0`).join('') + '\0'
  return Buffer.byteLength(job) > MAX_JOB_BYTES ? null : job
}
