/** A set of piece indices in typed memory: a task may have more than 100 000 pieces. Pure. */
export class IndexSet implements Iterable<number> {
  readonly #members: number[] = []
  /** position of each index in #members plus one; 0 for an index that is not a member */
  readonly #position: Uint32Array

  /** @param capacity members are from 0 to capacity − 1 */
  constructor (capacity: number) {
    this.#position = new Uint32Array(capacity)
  }

  get size (): number {
    return this.#members.length
  }

  has (index: number): boolean {
    return (this.#position[index] ?? 0) !== 0
  }

  add (index: number): void {
    if (this.has(index)) return
    this.#position[index] = this.#members.push(index)
  }

  delete (index: number): void {
    const at = this.#position[index] ?? 0
    if (at === 0) return
    const last = this.#members.pop()!
    this.#position[index] = 0
    if (last === index) return
    // the last member fills the gap
    this.#members[at - 1] = last
    this.#position[last] = at
  }

  /** Adds or deletes the index. */
  set (index: number, member: boolean): void {
    if (member) this.add(index)
    else this.delete(index)
  }

  [Symbol.iterator] (): IterableIterator<number> {
    return this.#members[Symbol.iterator]()
  }
}
