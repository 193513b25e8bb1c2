/** A set of piece indices from which one is drawn at random at once. */
import type { Random } from '../simulator/random.ts'

/** Before all are looked at. */
const GUESSES = 8

export class IndexSet {
  readonly #members: number[] = []
  readonly #places: Int32Array

  constructor (count: number, isFull: boolean) {
    this.#places = new Int32Array(count).fill(-1)
    if (isFull) for (let index = 0; index < count; index++) this.add(index)
  }

  [Symbol.iterator] (): IterableIterator<number> { return this.#members[Symbol.iterator]() }

  get size (): number { return this.#members.length }

  has (index: number): boolean { return this.#places[index] !== -1 }

  set (index: number, isMember: boolean): void {
    if (isMember) this.add(index)
    else this.delete(index)
  }

  add (index: number): void {
    if (this.has(index)) return
    this.#places[index] = this.#members.length
    this.#members.push(index)
  }

  delete (index: number): void {
    const place = this.#places[index]!
    if (place === -1) return
    const last = this.#members.pop()!
    if (last !== index) {
      this.#members[place] = last
      this.#places[last] = place
    }
    this.#places[index] = -1
  }

  /** One of those that suit, at random; undefined: none does. */
  find (random: Random, suits: (index: number) => boolean): number | undefined {
    const members = this.#members
    if (members.length === 0) return undefined
    for (let guess = 0; guess < GUESSES; guess++) {
      const index = members[Math.floor(random() * members.length)]!
      if (suits(index)) return index
    }
    const from = Math.floor(random() * members.length)
    for (let i = 0; i < members.length; i++) {
      const index = members[(from + i) % members.length]!
      if (suits(index)) return index
    }
    return undefined
  }
}
