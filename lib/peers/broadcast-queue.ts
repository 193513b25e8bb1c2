/**
 * The pieces stored here, in order, until every peer has read them. There is one queue for all peers, since nearly the
 * same is sent to each of them. Pure. Called by announcer.ts.
 */

/** At least this many entries are dropped at a time. */
const TRIM = 64

/** A queue with many readers. Places in it are counted from its very beginning. */
export class BroadcastQueue<T> {
  #entries: T[] = []
  /** the place of the first entry that has not been dropped */
  #start = 0
  #trimAt = TRIM

  /** The place of the next entry. */
  get end (): number { return this.#start + this.#entries.length }

  /** @param readUntil returns the places up to which the readers have read; called from time to time */
  add (entry: T, readUntil: () => Iterable<number>): void {
    this.#entries.push(entry)
    if (this.#entries.length >= this.#trimAt) this.trim(readUntil())
  }

  /** Drops the entries that all readers have read. */
  trim (readUntil: Iterable<number>): void {
    const until = Math.max(this.#start, Math.min(this.end, ...readUntil))
    this.#entries = this.#entries.slice(until - this.#start)
    this.#start = until
    // avoids checking the entries that a slow reader keeps here for each new entry
    this.#trimAt = 2 * this.#entries.length + TRIM
  }

  /** Yields the entries from this place on. */
  since (place: number): Generator<T> { return this.between(place, this.end) }

  /** Yields the entries from one place to another, exclusive. */
  * between (place: number, end: number): Generator<T> {
    for (let at = Math.max(0, place - this.#start); at < end - this.#start; at++) yield this.#entries[at]!
  }
}
