/**
 * What all machines share: the pieces, what was said about them, who computes what now, and the time. Statements reach
 * everybody at once, and what is accepted is there at once: this is about belief, not about transfers.
 */
import type { Result } from '../../lib/results/result.ts'
import type { Statement } from '../../lib/verification/types.ts'
import type { VirtualClock } from '../simulator/clock.ts'
import { lognormal, type Random } from '../simulator/random.ts'
import { IndexSet } from './index-set.ts'

/** The right result of every piece. */
export const RIGHT = 0
/** What the attackers agree on. Values from 2 on are accidents. */
export const LIE = 1

/** What an average piece takes on an average machine, in ms. */
export const PIECE_MS = 1000
/** So many statements of one piece are passed on. */
const STATEMENTS = 12
const VALUES = 256
const DEAR = 10

/** 0..1 `dear`: the part of the pieces that takes ten times as long. */
export interface Terrain { pieces: number, dear: number }

/** Somebody who hears what is said. */
export interface Listener {
  readonly key: string
  hear (statement: Statement): void
  isExcluded (key: string): boolean
}

export class World {
  readonly clock: VirtualClock
  readonly random: Random
  readonly listeners: Listener[] = []
  /** of each piece, in multiples of PIECE_MS */
  readonly costs: Float64Array
  readonly totalCost: number
  /** nobody has said anything about these */
  readonly missing: IndexSet
  /** in the order in which they were made */
  readonly statements: Statement[][]
  /** how many compute the piece now */
  readonly running: Uint16Array
  /** done so far, in multiples of PIECE_MS */
  work = 0
  /** pieces of which somebody attests a lie */
  lied = 0
  #keys = 0
  readonly #values = Array.from({ length: VALUES }, (_, value) => resultOf(value))

  constructor ({ pieces, dear }: Terrain, clock: VirtualClock, random: Random) {
    this.clock = clock
    this.random = random
    this.costs = Float64Array.from({ length: pieces }, () =>
      lognormal(random, 0.2) * (random() < dear ? DEAR : 1))
    this.totalCost = this.costs.reduce((sum, cost) => sum + cost, 0)
    this.missing = new IndexSet(pieces, true)
    this.statements = Array.from({ length: pieces }, () => [])
    this.running = new Uint16Array(pieces)
  }

  get pieces (): number { return this.costs.length }

  /** 0..1: of how many pieces there is a result */
  get progress (): number { return 1 - this.missing.size / this.pieces }

  /** how many keys there are */
  get keys (): number { return this.#keys }

  newKey (): string { return (++this.#keys).toString(16).padStart(64, '0') }

  result (value: number): Result { return this.#values[value]! }

  /** An error without malice: hardly ever the same one twice. */
  accident (): number { return 2 + Math.floor(this.random() * (VALUES - 2)) }

  isSaid (index: number): boolean { return this.statements[index]!.length > 0 }

  /** Everybody hears that `key` attests a result; at most one of each piece. */
  say (key: string, index: number, value: number): void {
    const known = this.statements[index]!
    if (known.length === STATEMENTS || known.some(statement => statement.key === key)) return
    if (value === LIE && known.every(statement => valueOf(statement.result) !== LIE)) this.lied++
    // whoever is the first with a piece has claimed it before
    const statement = { index, result: this.result(value), key, kind: 0, isFirstHand: known.length === 0 } as const
    known.push(statement)
    this.missing.delete(index)
    for (const listener of this.listeners) if (listener.key !== key) listener.hear(statement)
  }

  claim (index: number): void { this.running[index]!++ }

  release (index: number): void { this.running[index]!-- }

  /** A piece that nobody has a result of, and nobody computes. `key`: who asks. */
  unclaimed (_key: string): number | undefined {
    return this.missing.find(this.random, index => this.running[index] === 0)
  }
}

/** The value of a result, from its digest. */
export function valueOf (result: Result): number { return result.digest[0]! }

function resultOf (value: number): Result {
  return { size: 100, digest: new Uint8Array(32).fill(value) }
}
