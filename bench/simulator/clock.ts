/** Virtual time: a queue of callbacks, run one after the other in the order of their times. */
import type { Clock } from '../../lib/base/clock.ts'

interface Timer { readonly at: number, readonly serial: number, readonly callback: () => void, position: number }

interface Post { readonly at: number, readonly serial: number, readonly callback: () => void }

/** Promises may settle, each after another, this often at one instant. */
const PROMISE_CHAIN = 4
/** What falls into the same part of a millisecond is sorted when its time comes. */
const BUCKETS_PER_MS = 16

/**
 * A clock that only moves when everything due has been done. Of two callbacks of one instant, the older one goes first.
 */
export class VirtualClock implements Clock {
  #now = 0
  #serial = 0
  #hasSettled = false
  readonly #timers = new TimerHeap()
  readonly #posts = new PostQueue()
  /** callbacks run so far */
  events = 0

  // bound: the parts under test take it as a function
  readonly now = (): number => this.#now

  after (ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), serial: this.#serial++, callback, position: -1 }
    this.#timers.add(timer)
    return () => { this.#timers.remove(timer) }
  }

  /** `after` for the many that are never taken back: cheaper. */
  post (ms: number, callback: () => void): void {
    this.#posts.add({ at: this.#now + ms, serial: this.#serial++, callback })
  }

  /** To be called by whoever settles a promise: its reactions run before the next timer. */
  settled (): void { this.#hasSettled = true }

  /** Lets time pass until `isOver`, until nothing is left to happen, or until `endMs`. */
  async run (isOver: () => boolean, endMs: number): Promise<void> {
    while (!isOver()) {
      const next = this.#take(endMs)
      if (next === undefined) return
      this.#now = next.at
      this.events++
      next.callback()
      if (!this.#hasSettled) continue
      this.#hasSettled = false
      for (let i = 0; i < PROMISE_CHAIN; i++) await Promise.resolve()
    }
  }

  #take (endMs: number): Post | undefined {
    const timer = this.#timers.first
    const post = this.#posts.first(timer?.at ?? Infinity)
    const next = timer === undefined || (post !== undefined && isBefore(post, timer)) ? post : timer
    if (next === undefined || next.at > endMs) return undefined
    if (next === timer) this.#timers.remove(timer)
    else this.#posts.shift()
    return next
  }
}

/** A binary heap; each timer knows its place, so that a cancelled one leaves at once. */
class TimerHeap {
  readonly #heap: Timer[] = []

  get first (): Timer | undefined { return this.#heap[0] }

  add (timer: Timer): void {
    this.#put(timer, this.#heap.length)
    this.#rise(timer)
  }

  remove (timer: Timer): void {
    const { position } = timer
    if (position === -1) return
    timer.position = -1
    const last = this.#heap.pop()!
    if (last === timer) return
    this.#put(last, position)
    this.#rise(last)
    this.#sink(last)
  }

  #put (timer: Timer, position: number): void {
    this.#heap[position] = timer
    timer.position = position
  }

  #rise (timer: Timer): void {
    while (timer.position > 0) {
      const parent = this.#heap[(timer.position - 1) >> 1]!
      if (!isBefore(timer, parent)) return
      this.#swap(timer, parent)
    }
  }

  #sink (timer: Timer): void {
    for (;;) {
      const left = this.#heap[2 * timer.position + 1]
      if (left === undefined) return
      const right = this.#heap[2 * timer.position + 2]
      const child = right !== undefined && isBefore(right, left) ? right : left
      if (!isBefore(child, timer)) return
      this.#swap(child, timer)
    }
  }

  #swap (child: Timer, parent: Timer): void {
    const { position } = parent
    this.#put(parent, child.position)
    this.#put(child, position)
  }
}

/** Hundreds of thousands of messages are under way at a time: a heap of them would be cache misses above all. */
class PostQueue {
  readonly #buckets = new Map<number, Post[]>()
  /** the buckets' times; each bucket is a timer of its own */
  readonly #order = new TimerHeap()
  /** the bucket whose time has come, sorted, and what is left of it */
  #open: Post[] = []
  #openKey = -1
  #next = 0

  /**
   * The first one, if it may be due by `at`: a bucket opened before its time would have to take in all that comes
   * before it.
   */
  first (at: number): Post | undefined {
    if (this.#next === this.#open.length) this.#openNext(at)
    return this.#open[this.#next]
  }

  shift (): void { this.#next++ }

  add (post: Post): void {
    const key = Math.floor(post.at * BUCKETS_PER_MS)
    if (key <= this.#openKey) return this.#insert(post)
    const bucket = this.#buckets.get(key)
    if (bucket !== undefined) {
      bucket.push(post)
      return
    }
    this.#buckets.set(key, [post])
    this.#order.add({ at: key, serial: 0, callback: () => {}, position: -1 })
  }

  #openNext (at: number): void {
    const timer = this.#order.first
    if (timer === undefined || timer.at > at * BUCKETS_PER_MS) return
    this.#order.remove(timer)
    this.#openKey = timer.at
    this.#open = this.#buckets.get(timer.at)!.sort((a, b) => a.at - b.at || a.serial - b.serial)
    this.#buckets.delete(timer.at)
    this.#next = 0
  }

  /** Into the open bucket, from its end: what is posted last is as a rule due last. */
  #insert (post: Post): void {
    let at = this.#open.length
    while (at > this.#next && isBefore(post, this.#open[at - 1]!)) at--
    this.#open.splice(at, 0, post)
  }
}

function isBefore (a: Post, b: Post): boolean {
  return a.at !== b.at ? a.at < b.at : a.serial < b.serial
}
