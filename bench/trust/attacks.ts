/**
 * Those who lie. All machines of the attacker agree on one wrong result of each piece, and know of each other; a key
 * costs them nothing.
 */
import { LIE, PIECE_MS, RIGHT } from './world.ts'
import type { World } from './world.ts'

/** One machine of the attacker. */
export interface Attacker {
  /** Does what is due; returns ms until it is to be called again, Infinity: never. */
  act (): number
}

/** Makes one machine of the attacker; `speed`: of an average machine. `crew`: shared by all of one attacker. */
export type Attack = (world: World, speed: number, crew: string[]) => Attacker

/** Whether to lie about a piece. `made`: right results of this key so far. */
type Lies = (world: World, index: number, made: number) => boolean

/** Between two lies that nobody computes. */
const LIE_MS = 0.25 * PIECE_MS
/** Nothing to do: until it looks again. */
const WAIT_MS = 0.3 * PIECE_MS
const LEAST_MS = 0.002 * PIECE_MS

/** Computes one piece rightly for whatever key is handed in, and takes as long as that takes. */
class Worker {
  readonly world: World
  readonly speed: number
  #index: number | undefined

  constructor (world: World, speed: number) {
    this.world = world
    this.speed = speed
  }

  /** The piece that has been worked on since `begin`. */
  end (): number | undefined {
    const index = this.#index
    if (index !== undefined) this.world.release(index)
    this.#index = undefined
    return index
  }

  /** Begins a piece that nobody computes; returns how long it takes. */
  begin (index: number | undefined, haste = 1): number {
    if (index === undefined) return WAIT_MS
    this.#index = index
    this.world.claim(index)
    return Math.max(LEAST_MS, PIECE_MS * this.world.costs[index]! / this.speed / haste)
  }

  sayRight (key: string, index: number): void {
    this.world.work += this.world.costs[index]!
    this.world.say(key, index, RIGHT)
  }
}

/**
 * Keeps its key, and works on as long as somebody listens. A lie takes 1 / `haste` of the time; `vouchers` others of
 * the crew repeat it.
 */
function steady (lies: Lies, haste = 1, vouchers = 0): Attack {
  return (world, speed, crew) => {
    const key = world.newKey()
    const worker = new Worker(world, speed)
    let made = 0
    let isLying = false
    crew.push(key)
    return { act }

    function act (): number {
      const index = worker.end()
      if (index !== undefined) finish(index)
      if (isOut(world, key)) return Infinity
      const next = world.unclaimed(key)
      isLying = next !== undefined && lies(world, next, made)
      return worker.begin(next, isLying ? haste : 1)
    }

    function finish (index: number): void {
      if (!isLying) {
        made++
        return worker.sayRight(key, index)
      }
      world.say(key, index, LIE)
      for (let i = 0; i < vouchers; i++) world.say(crew[Math.floor(world.random() * crew.length)]!, index, LIE)
    }
  }
}

/** A part of the pieces, whatever they are. */
export function share (part: number, haste = 1, vouchers = 0): Attack {
  return steady(({ random }) => random() < part, haste, vouchers)
}

/** Right `count` times, then never again. */
export function sleeper (count: number): Attack { return steady((_world, _index, made) => made >= count) }

/** Right until a part of the pieces is done. */
export function late (from: number, haste: number): Attack { return steady(({ progress }) => progress > from, haste) }

/** Only where it saves much. */
export function dear (over: number, haste: number): Attack {
  return steady(({ costs }, index) => costs[index]! > over, haste)
}

interface Renewal {
  /** right results that each key is to have before it lies; copied from others, or computed */
  right?: number
  copies?: boolean
  /** then so many lies, and a new key */
  lies?: number
  /** new keys that repeat each lie */
  vouchers?: number
  /** 0..1: of the pieces that all machines of the attacker lie about */
  part?: number
}

/** Takes a new key whenever it has lied enough. */
export function renewing ({ right = 0, copies = false, lies = 1, vouchers = 0, part = 1 }: Renewal): Attack {
  return (world, speed) => {
    const worker = new Worker(world, speed)
    let keys: string[] = []
    let toCompute = 0
    let toLie = 0
    return { act }

    function act (): number {
      if (world.lied >= part * world.pieces) return Infinity
      if (toLie === 0) renew()
      const done = worker.end()
      if (done !== undefined) {
        worker.sayRight(keys[0]!, done)
        toCompute--
      }
      if (copies) copy()
      const next = world.unclaimed(keys[0]!)
      if (toCompute > 0) return worker.begin(next)
      if (next === undefined) return WAIT_MS
      toLie--
      for (const key of keys) world.say(key, next, LIE)
      return LIE_MS
    }

    function renew (): void {
      keys = Array.from({ length: 1 + vouchers }, () => world.newKey())
      toCompute = right
      toLie = lies
    }

    function copy (): void {
      for (; toCompute > 0; toCompute--) {
        const index = Math.floor(world.random() * world.pieces)
        if (isRight(world, index)) world.say(keys[0]!, index, RIGHT)
      }
    }
  }
}

/** Two keys: both compute `right` pieces, then they sign `lies` lies together, then two new ones. */
export function twins (right: number, lies: number): Attack {
  return (world, speed) => {
    const worker = new Worker(world, speed)
    let keys: [string, string] = ['', '']
    let toCompute = 0
    let toLie = 0
    return { act }

    function act (): number {
      if (toLie === 0) {
        keys = [world.newKey(), world.newKey()]
        toCompute = 2 * right
        toLie = lies
      }
      const done = worker.end()
      if (done !== undefined) worker.sayRight(keys[toCompute-- % 2]!, done)
      const next = world.unclaimed(keys[toCompute % 2]!)
      if (toCompute > 0) return worker.begin(next)
      if (next === undefined) return WAIT_MS
      toLie--
      for (const key of toLie % 2 === 0 ? keys : keys.toReversed()) world.say(key, next, LIE)
      return LIE_MS
    }
  }
}

/** Contradicts what is right, after `right` right results; `crowd` keys at once; new ones once nobody listens. */
export function accuser (right: number, crowd = 1): Attack {
  return (world, speed) => {
    const worker = new Worker(world, speed)
    let key = world.newKey()
    let toCompute = right
    return { act }

    function act (): number {
      if (isOut(world, key)) {
        key = world.newKey()
        toCompute = right
      }
      const done = worker.end()
      if (done !== undefined) {
        worker.sayRight(key, done)
        toCompute--
      }
      const next = toCompute > 0 ? world.unclaimed(key) : undefined
      if (next !== undefined) return worker.begin(next)
      toCompute = 0
      accuse(Math.floor(world.random() * world.pieces))
      return world.progress === 1 ? Infinity : LIE_MS
    }

    function accuse (index: number): void {
      if (!isRight(world, index)) return
      world.say(key, index, LIE)
      for (let i = 1; i < crowd; i++) world.say(world.newKey(), index, LIE)
    }
  }
}

/** What was said first about the piece is right. */
function isRight (world: World, index: number): boolean {
  return world.statements[index]![0]?.result === world.result(RIGHT)
}

/** The attacker notices when most do not listen any more. */
function isOut ({ listeners }: World, key: string): boolean {
  let count = 0
  for (const listener of listeners) if (listener.isExcluded(key)) count++
  return count > listeners.length / 2
}
