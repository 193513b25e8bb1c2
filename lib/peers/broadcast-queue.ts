/**
 * What was stored here, in order, until every peer has asked for it: one queue for all peers, since what is said to
 * each of them is nearly the same. Pure. Called by announcer.ts.
 */

/** Entries are dropped that many at a time, at least. */
const TRIM = 64

/** A queue with many readers. Places in it are counted from its very beginning. */
export class BroadcastQueue<T> {
  #entries: T[] = []
  /** the place of the first entry that is still here */
  #start = 0
  #trimAt = TRIM

  /** The place of the next entry. */
  get end (): number { return this.#start + this.#entries.length }

  /** @param readUntil gives the places up to which the readers have read; called now and then */
  add (entry: T, readUntil: () => Iterable<number>): void {
    this.#entries.push(entry)
    if (this.#entries.length >= this.#trimAt) this.trim(readUntil())
  }

  /** Drops what all readers have read. */
  trim (readUntil: Iterable<number>): void {
    const until = Math.max(this.#start, Math.min(this.end, ...readUntil))
    this.#entries = this.#entries.slice(until - this.#start)
    this.#start = until
    // what a slow reader holds back is not looked at again for each entry
    this.#trimAt = 2 * this.#entries.length + TRIM
  }

  /** What was added from this place on. */
  * since (place: number): Generator<T> {
    for (let at = Math.max(0, place - this.#start); at < this.#entries.length; at++) yield this.#entries[at]!
  }
}
