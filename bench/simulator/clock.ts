/** Virtual time: a queue of callbacks, run one after the other in the order of their times. */
import type { Clock } from '../../lib/clock.ts'

interface Timer { readonly at: number, readonly serial: number, readonly callback: () => void, position: number }

/** Promises may settle, each after another, this often at one instant. */
const PROMISE_CHAIN = 4

/** A clock that only moves when everything due has been done. Of two timers of one instant, the older one goes first. */
export class VirtualClock implements Clock {
  #now = 0
  #serial = 0
  #hasSettled = false
  /** a binary heap; each timer knows its place, so that a cancelled one leaves at once */
  readonly #heap: Timer[] = []
  /** timers run so far */
  events = 0

  now (): number { return this.#now }

  after (ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), serial: this.#serial++, callback, position: this.#heap.length }
    this.#heap.push(timer)
    this.#rise(timer)
    return () => { this.#remove(timer) }
  }

  /** To be called by whoever settles a promise: its reactions run before the next timer. */
  settled (): void { this.#hasSettled = true }

  /** Lets time pass until `isOver`, until nothing is left to happen, or until `endMs`. */
  async run (isOver: () => boolean, endMs: number): Promise<void> {
    while (!isOver()) {
      const timer = this.#heap[0]
      if (timer === undefined || timer.at > endMs) return
      this.#remove(timer)
      this.#now = timer.at
      this.events++
      timer.callback()
      if (!this.#hasSettled) continue
      this.#hasSettled = false
      for (let i = 0; i < PROMISE_CHAIN; i++) await undefined
    }
  }

  #remove (timer: Timer): void {
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

function isBefore (a: Timer, b: Timer): boolean {
  return a.at !== b.at ? a.at < b.at : a.serial < b.serial
}
