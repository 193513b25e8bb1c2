/**
 * For comparison: a server that decides who computes what, as BOINC's does. Each piece is computed by two keys, and by
 * more until two results are equal; with `isAdaptive`, a key with ten valid results in a row is mostly believed alone
 * (adaptive replication). All honest machines have what the server has.
 */
import type { VirtualClock } from '../simulator/clock.ts'
import type { Random } from '../simulator/random.ts'
import { IndexSet } from './index-set.ts'
import type { Scenario, ServerPolicy } from './scenario.ts'
import { PIECE_MS, RIGHT, World } from './world.ts'

/** Equal results that settle a piece. */
const QUORUM = 2
/** Valid results in a row that make a key reliable; with more of them, one result in as many is still doubled. */
const RELIABLE = 10
/** Pieces that a key is given in a day at first, and at most: so many times what an average machine computes. */
const DAY_MS = 24 * PIECE_MS
const MAX_QUOTA = 4 * DAY_MS / PIECE_MS
/** Nothing to do: until a machine asks again. */
const WAIT_MS = 0.15 * PIECE_MS

interface WorkUnit {
  /** results by key, in order */
  readonly results: Map<string, number>
  /** to be handed out yet */
  wanted: number
  value: number | undefined
}

/** How many pieces a key may be given in a day: one less for each wrong result, twice as many for a right one. */
interface Quota { left: number, perDay: number, day: number }

export class ServerWorld extends World {
  readonly #isAdaptive: boolean
  /** null: there are none */
  readonly #quotas: Map<string, Quota> | null
  readonly #units: WorkUnit[]
  readonly #wanted: IndexSet
  readonly #assigned = new Set<string>()
  readonly #validInRow = new Map<string, number>()

  constructor (scenario: Scenario, clock: VirtualClock, random: Random, { isAdaptive, hasQuotas }: ServerPolicy) {
    super(scenario, clock, random)
    this.#isAdaptive = isAdaptive
    this.#quotas = hasQuotas === true ? new Map() : null
    this.#units = Array.from({ length: scenario.pieces }, () => ({ results: new Map(), wanted: 1, value: undefined }))
    this.#wanted = new IndexSet(scenario.pieces, true)
  }

  get isDone (): boolean { return this.#units.every(({ value }) => value !== undefined) }

  value (index: number): number { return this.#units[index]!.value ?? -1 }

  /** The server hands out a piece that needs a result by another key. */
  override unclaimed (key: string): number | undefined {
    const quota = this.#quotaOf(key)
    if (quota?.left === 0) return undefined
    const index = this.#wanted.find(this.random, wanted => !this.#assigned.has(`${wanted} ${key}`))
    if (index === undefined) return undefined
    if (quota !== null) quota.left--
    this.#assigned.add(`${index} ${key}`)
    if (--this.#units[index]!.wanted === 0) this.#wanted.delete(index)
    return index
  }

  /** A result that nobody asked this key for is not taken. */
  override say (key: string, index: number, value: number): void {
    const unit = this.#units[index]!
    if (!this.#assigned.has(`${index} ${key}`) || unit.results.has(key)) return
    unit.results.set(key, value)
    super.say(key, index, value)
    if (unit.value === undefined) this.#judge(index, unit, key, value)
  }

  #quotaOf (key: string): Quota | null {
    if (this.#quotas === null) return null
    const day = Math.floor(this.clock.now() / DAY_MS)
    const quota = this.#quotas.get(key) ?? { left: MAX_QUOTA, perDay: MAX_QUOTA, day }
    if (day > quota.day) [quota.day, quota.left] = [day, quota.perDay]
    this.#quotas.set(key, quota)
    return quota
  }

  #judge (index: number, unit: WorkUnit, key: string, value: number): void {
    const inRow = this.#validInRow.get(key) ?? 0
    if (this.#isAdaptive && unit.results.size === 1 && inRow >= RELIABLE && this.random() > 1 / inRow) {
      unit.value = value
      return
    }
    const equal = [...unit.results.values()].filter(other => other === value).length
    if (equal < QUORUM) {
      unit.wanted++
      this.#wanted.add(index)
      return
    }
    unit.value = value
    for (const [by, said] of unit.results) {
      const isValid = said === value
      const quota = this.#quotaOf(by)
      if (quota !== null) quota.perDay = isValid ? Math.min(MAX_QUOTA, 2 * quota.perDay) : Math.max(1, quota.perDay - 1)
      this.#validInRow.set(by, isValid ? (this.#validInRow.get(by) ?? 0) + 1 : 0)
    }
  }
}

/** An honest machine of the server: computes what it is given, until all is done. */
export function startClient (world: ServerWorld, key: string, speed: number, errors: number): void {
  const { clock, costs } = world
  clock.post(0.01 * PIECE_MS * world.random(), next)

  function next (): void {
    const index = world.unclaimed(key)
    if (index === undefined) return clock.post(WAIT_MS, next)
    clock.post(PIECE_MS * costs[index]! / speed, () => {
      world.work += costs[index]!
      world.say(key, index, world.random() < errors ? world.accident() : RIGHT)
      next()
    })
  }
}
