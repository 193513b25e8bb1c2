/**
 * Work that strangers cause and that costs something, such as checking a signature (64 µs): so much per second, a few
 * milliseconds at a time, and by turns, so that a peer that causes much of it delays only itself. Pure: the clock is
 * handed in. Called by attestation-exchange.ts.
 */
import type { Clock } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'

/** How much work there may be. */
export interface QueueLimits {
  perSecond: number
  atOnce: number
  /** jobs that wait, of all owners together */
  waiting: number
}

/** For strangers: at 64 µs a job, 3 % of a core, 3 ms at once. */
export const STRANGERS: QueueLimits = { perSecond: 500, atOnce: 50, waiting: 2_000 }
/** For members, whose results would have to be computed again otherwise: at most half of a core, 10 ms at once. */
const MEMBERS: QueueLimits = { perSecond: 8_192, atOnce: 164, waiting: 16_384 }
const DRAIN_MS = 20

/** A piece of work. Neither function may throw. */
export interface Job {
  run (): void
  /** It is not run: there was no room, or its owner has left. */
  drop (): void
}

/** The jobs of all owners. */
export class SignatureQueue {
  readonly #clock: Clock
  readonly #limits: QueueLimits
  readonly #bucket: TokenBucket
  /** by owner; whose turn is next comes first */
  readonly #waiting = new Map<object, Job[]>()
  #size = 0
  #cancel: (() => void) | null = null
  #isClosed = false

  constructor (clock: Clock, limits: QueueLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#bucket = new TokenBucket(limits.perSecond, limits.atOnce, clock.now())
  }

  /** number of waiting jobs */
  get size (): number { return this.#size }

  /** Runs the job now if there is time, otherwise when it is its owner's turn. Jobs of an owner keep their order. */
  add (owner: object, job: Job): void {
    if (this.#isClosed) return job.drop()
    if (this.#size === 0 && this.#bucket.takeAll(1, this.#clock.now())) return job.run()
    const own = this.#waiting.get(owner) ?? []
    if (this.#size >= this.#limits.waiting && !this.#makeRoom(own.length)) return job.drop()
    own.push(job)
    this.#size++
    this.#waiting.set(owner, own)
    this.#arm()
  }

  /** Drops the owner's jobs. */
  remove (owner: object): void {
    const jobs = this.#waiting.get(owner)
    if (jobs === undefined) return
    this.#waiting.delete(owner)
    this.#size -= jobs.length
    for (const job of jobs) job.drop()
  }

  close (): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#cancel = null
    for (const owner of this.#waiting.keys()) this.remove(owner)
  }

  /** Drops the last job of the owner that has the most, unless that is the one that asks. */
  #makeRoom (own: number): boolean {
    let longest: Job[] = []
    for (const jobs of this.#waiting.values()) if (jobs.length > longest.length) longest = jobs
    if (longest.length <= own) return false
    this.#size--
    longest.pop()!.drop()
    return true
  }

  #arm (): void {
    this.#cancel ??= this.#clock.after(DRAIN_MS, () => { this.#drain() }, { unref: true })
  }

  #drain (): void {
    this.#cancel = null
    const now = this.#clock.now()
    while (this.#size > 0 && this.#bucket.takeAll(1, now)) {
      const [owner, jobs] = this.#waiting.entries().next().value!
      const job = jobs.shift()!
      this.#size--
      this.#waiting.delete(owner)
      if (jobs.length > 0) this.#waiting.set(owner, jobs)
      job.run()
    }
    if (this.#size > 0 && !this.#isClosed) this.#arm()
  }
}

/** The queues of one task: what strangers send does not delay members. */
export class SignatureQueues {
  readonly #strangers: SignatureQueue
  readonly #members: SignatureQueue

  constructor (clock: Clock) {
    this.#strangers = new SignatureQueue(clock, STRANGERS)
    this.#members = new SignatureQueue(clock, MEMBERS)
  }

  of ({ isMember }: { isMember: boolean }): SignatureQueue { return isMember ? this.#members : this.#strangers }

  /** The owner has left: what waits of it is dropped. */
  remove (owner: object): void { for (const queue of [this.#strangers, this.#members]) queue.remove(owner) }

  close (): void { for (const queue of [this.#strangers, this.#members]) queue.close() }
}
