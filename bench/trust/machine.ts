/**
 * An honest machine: it computes what its judge does not accept yet, and checks what that asks for, in the scheduler's
 * order: checks while fewer than a share of its items were checks, missing pieces, then doubtful ones.
 */
import { SecondRuns } from '../../lib/session/second-runs.ts'
import type { Statement, VerificationHost } from '../../lib/verification/types.ts'
import { IndexSet } from './index-set.ts'
import type { Judge } from './judge.ts'
import { PIECE_MS, RIGHT, valueOf } from './world.ts'
import type { World } from './world.ts'

/** Others compute all that is left: until it looks again. */
const WAIT_MS = 0.15 * PIECE_MS
/** No result of the piece is accepted. */
const NONE = -1

interface Options {
  world: World
  key: string
  /** of an average machine */
  speed: number
  /** how often it errs */
  errors: number
  /** makes its judge */
  judge: (host: VerificationHost) => Judge
}

export class Machine {
  readonly key: string
  readonly #world: World
  readonly #speed: number
  readonly #errors: number
  readonly #judge: Judge
  /** the value that is accepted of each piece */
  readonly #accepted: Int16Array
  /** no result is accepted: no key that is listened to attests any, or the piece needs a second opinion */
  readonly #missing: IndexSet
  readonly #second: IndexSet
  /** a result is accepted, and needs a second look */
  readonly #alone: IndexSet
  /** oldest first */
  readonly #checks = new Set<number>()
  readonly #changed = new Set<number>()
  readonly #runs = new SecondRuns(false)
  #items = 0
  #checked = 0
  #isIdle = false
  #hasExcluded = false

  constructor ({ world, key, speed, errors, judge }: Options) {
    this.#world = world
    this.key = key
    this.#speed = speed
    this.#errors = errors
    this.#accepted = new Int16Array(world.pieces).fill(NONE)
    this.#missing = new IndexSet(world.pieces, true)
    this.#second = new IndexSet(world.pieces, false)
    this.#alone = new IndexSet(world.pieces, false)
    this.#judge = judge({
      changed: index => { this.#changed.add(index) },
      refuted: index => { this.#changed.add(index) },
      check: index => { this.#checks.add(index) },
      dropped: index => { this.#checks.delete(index) },
      checked () {},
      suspected () {},
      excluded: () => { this.#hasExcluded = true },
      level () {}
    })
  }

  /** There is nothing that it could do. */
  get isIdle (): boolean { return this.#isIdle }

  /** The value that it goes by; -1: none. */
  accepted (index: number): number {
    return this.#missing.has(index) || this.#second.has(index) ? NONE : this.#accepted[index]!
  }

  isExcluded (key: string): boolean { return this.#judge.isExcluded(key) }

  start (): void { this.#next() }

  hear (statement: Statement): void {
    this.#judge.attested(statement)
    this.#changed.add(statement.index)
    this.#followJudge()
    if (!this.#isIdle) return
    this.#isIdle = false
    this.#world.clock.post(0, () => { this.#next() })
  }

  /** Does what its judge said meanwhile; not at once, as a call of it would be inside another. */
  #followJudge (): void {
    if (this.#hasExcluded) for (const index of this.#second) this.#changed.add(index)
    this.#hasExcluded = false
    for (const index of this.#changed) {
      this.#changed.delete(index)
      const result = this.#judge.accepted(index)
      const needsSecond = result === null && this.#judge.needsSecond(index)
      this.#missing.set(index, result === null && !needsSecond)
      this.#second.set(index, needsSecond)
      this.#alone.set(index, result !== null && this.#judge.needsLook(index))
      if (result === null || this.#accepted[index] === valueOf(result)) continue
      this.#accepted[index] = valueOf(result)
      this.#judge.stored(index, result)
    }
  }

  /** In the scheduler's order. */
  #next (): void {
    const missing = this.#dueCheck() === undefined ? this.#world.unclaimed(this.key) : undefined
    if (missing !== undefined) return this.#compute(missing, false)
    const check = this.#openCheck()
    if (check !== undefined) return this.#compute(check, true)
    const unheard = this.#unclaimed(this.#missing)
    if (unheard !== undefined) return this.#compute(unheard, false)
    const second = this.#unclaimed(this.#second)
    if (second !== undefined) return this.#compute(second, true)
    const alone = this.#unclaimed(this.#alone)
    if (alone !== undefined) return this.#compute(alone, true)
    // others compute what is left
    if (this.#missing.size > 0 || this.#second.size > 0 || this.#alone.size > 0) {
      this.#world.clock.post(WAIT_MS, () => { this.#next() })
    } else this.#isIdle = true
  }

  /** As lib/scheduling/checks.ts: while fewer than their share of the items were checks. */
  #dueCheck (): number | undefined {
    return this.#checked < this.#judge.checkShare * this.#items ? this.#openCheck() : undefined
  }

  #openCheck (): number | undefined {
    for (const index of this.#checks) return index
    return undefined
  }

  #unclaimed (pieces: IndexSet): number | undefined {
    return pieces.find(this.#world.random, index => this.#world.running[index] === 0)
  }

  #compute (index: number, isCheck: boolean): void {
    const { clock, costs } = this.#world
    this.#checks.delete(index)
    this.#world.claim(index)
    clock.post(PIECE_MS * costs[index]! / this.#speed, () => {
      if (isCheck) this.#checked++
      this.#finish(index)
    })
  }

  #finish (index: number): void {
    const world = this.#world
    world.release(index)
    this.#items++
    world.work += world.costs[index]!
    const value = this.#run()
    const result = world.result(value)
    // as lib/session/own-results.ts
    if (this.#runs.ended(index, result, this.#judge.contradicts(index, result)) !== 'sure') {
      return this.#compute(index, true)
    }
    this.#judge.computed(index, result)
    this.#followJudge()
    world.say(this.key, index, value)
    this.#next()
  }

  /** Runs the command once; returns what comes out. */
  #run (): number { return this.#world.random() < this.#errors ? this.#world.accident() : RIGHT }
}
