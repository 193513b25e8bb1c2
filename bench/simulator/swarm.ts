/** Sets a swarm up, lets it work, and says how it went. */
import { createHash } from 'node:crypto'
import process from 'node:process'
import { createTask } from '../../lib/task/task.ts'
import { Board, keyOf } from './attestations.ts'
import { VirtualClock } from './clock.ts'
import { connections } from './graph.ts'
import { Liar } from './liar.ts'
import { Peer } from './peer.ts'
import { branch, lognormal, share } from './random.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import { Squatter } from './squatter.ts'
import { Tally } from './tally.ts'
import { Transit } from './transit.ts'
import { SimulatedWire } from './wire.ts'
import type { Member, World } from './world.ts'

/** How one run went. Times are milliseconds; `cpuMs` is what the simulation itself took, the others are virtual. */
export interface Outcome {
  seed: number
  /** total work / total speed of the peers that are there */
  idealMs: number
  /** until the first peer, and until the last one alive, had every piece; Infinity: did not happen */
  firstMs: number
  lastMs: number
  tally: Tally
  /** share of the results that honest peers have in the end, and that are wrong */
  wrong: number
  events: number
  cpuMs: number
  rssBytes: number
}

/** What each random source is for. */
const DRAWS = { work: 0, speed: 1, graph: 2, latency: 3, fate: 4, peer: 5, squatter: 6, identity: 7, liar: 8 }
/** Connected, and digests exchanged. */
const START_MS = 1_000
/** A round of the paper's model lasts a little longer than the work: news have to be taken in. */
const ROUND_GAP_MS = 1
/** Virtual time between two reports of how far it is. */
const PROGRESS_MS = 1_000
/** A swarm that takes this often the ideal time is stuck. */
const MAX_RATIO = 100

/**
 * How far a run is: virtual milliseconds since the start, those that it would take if nothing were lost, and pieces
 * done by somebody.
 */
export interface Progress { readonly elapsedMs: number, readonly idealMs: number, readonly done: number }

interface Fate { speed: number, diesAtMs: number }

/**
 * One run. The same scenario and seed give the same outcome.
 * @param onProgress called after every simulated second
 */
export async function simulate (
  scenario: Scenario, seed: number, onProgress: (progress: Progress) => void = () => {}
): Promise<Outcome> {
  const begin = process.cpuUsage()
  const swarm = new Swarm(scenario, seed)
  await swarm.run(onProgress)
  const {
    idealMs, firstMs, lastMs, tally, wrong, clock: { events }
  } = swarm
  return {
    seed,
    idealMs,
    firstMs,
    lastMs,
    tally,
    wrong,
    events,
    cpuMs: process.cpuUsage(begin).user / 1000,
    rssBytes: process.memoryUsage.rss()
  }
}

class Swarm implements World {
  readonly scenario: Scenario
  readonly clock = new VirtualClock()
  readonly tally = new Tally()
  readonly transit = new Transit(this.clock)
  readonly task: World['task']
  readonly results: World['results']
  readonly work: Float64Array
  readonly computed: Uint8Array
  readonly forged: World['forged']
  readonly board: World['board']
  readonly idealMs: number
  firstMs = Infinity
  lastMs = Infinity
  readonly #seed: number
  readonly #peers: Peer[]
  readonly #fates: Fate[]
  readonly #squatters: Squatter[]
  readonly liars = new Map<string, Liar>()
  readonly #wires = new Map<Peer, SimulatedWire[]>()
  readonly #incomplete: Set<Peer>

  constructor (scenario: Scenario, seed: number) {
    const { pieces, pieceBytes } = scenario
    this.scenario = scenario
    this.#seed = seed
    this.task = createTask({ name: 'simulated', command: 'true', parts: pieces, pieceLength: Math.max(1, pieceBytes) })
    this.results = Array.from({ length: pieces }, (_, index) => ({
      size: this.task.pieceLength, digest: sha256(`piece ${index}`)
    }))
    this.computed = new Uint8Array(pieces)
    const random = this.#random('work')
    this.work = Float64Array.from({ length: pieces }, () => scenario.workMs * lognormal(random, scenario.workSigma))
    this.#fates = this.#drawFates()
    this.idealMs = fastest(this.work, this.#fates)
    this.forged = this.results.map(({ size }, index) => ({ size, digest: sha256(`forged ${index}`) }))
    const { peers, forgers, members, verify } = scenario
    const honest = peers - Math.round(peers * forgers)
    const trusted = Array.from({ length: members }, (_, i) => keyOf(this.#peerId(i)))
    this.board = verify === 'off' && forgers === 0 ? null : new Board(new Set(trusted))
    this.#peers = this.#fates.map(({ speed }, i) => (
      new Peer(this, this.#peerId(i), speed, branch(seed, DRAWS.peer, i), i >= honest)
    ))
    this.#incomplete = new Set(this.#honest)
    this.#squatters = this.#createSquatters()
    this.#createLiars()
    this.#connect()
  }

  async run (onProgress: (progress: Progress) => void): Promise<void> {
    const { idealMs } = this
    this.clock.after(START_MS / 2, () => { for (const liar of this.liars.values()) liar.start() })
    this.clock.after(START_MS, () => { this.#start() })
    const longest = MAX_RATIO * idealMs
    for (let elapsedMs = 0; elapsedMs < longest && this.#incomplete.size > 0;) {
      elapsedMs = Math.min(elapsedMs + PROGRESS_MS, longest)
      await this.clock.run(() => this.#incomplete.size === 0, START_MS + elapsedMs)
      onProgress({ elapsedMs, idealMs, done: this.computed.reduce((sum, isDone) => sum + isDone, 0) })
    }
    if (this.#incomplete.size === 0) this.lastMs = this.clock.now() - START_MS
  }

  get #honest (): Peer[] { return this.#peers.filter(({ isForger }) => !isForger) }

  get wrong (): number {
    return this.board === null
      ? 0
      : this.#honest.reduce((sum, peer) => sum + peer.wrong, 0) / this.#honest.length / this.results.length
  }

  isForger (id: string): boolean { return this.#peers.some(peer => peer.isForger && keyOf(peer.peerId) === id) }

  excluded (key: string): void {
    if (this.isForger(key)) this.tally.exposed++
    else this.tally.slandered++
  }

  completed (peer: Peer): void {
    this.firstMs = Math.min(this.firstMs, this.clock.now() - START_MS)
    this.#incomplete.delete(peer)
  }

  #random (purpose: keyof typeof DRAWS): Random { return branch(this.#seed, DRAWS[purpose]) }

  #peerId (i: number): Uint8Array {
    const random = branch(this.#seed, DRAWS.identity, i)
    return Uint8Array.from({ length: 20 }, () => random() * 256)
  }

  #drawFates (): Fate[] {
    const { peers, speedSigma, slow, slowFactor, dying } = this.scenario
    const random = this.#random('speed')
    const fates = Array.from({ length: peers }, () => ({ speed: lognormal(random, speedSigma), diesAtMs: Infinity }))
    const chance = this.#random('fate')
    // drawn independently of each other: a peer may be both
    for (const fate of some(fates, slow, chance)) fate.speed /= slowFactor
    const ideal = fastest(this.work, fates)
    for (const fate of some(fates, dying, chance)) fate.diesAtMs = chance() * ideal
    return fates
  }

  #createSquatters (): Squatter[] {
    const { peers, squatters } = this.scenario
    const count = Math.round(peers * squatters / (1 - squatters))
    return Array.from(
      { length: count }, (_, i) => new Squatter(this, this.#peerId(peers + i), branch(this.#seed, DRAWS.squatter, i))
    )
  }

  #createLiars (): void {
    const { peers, liars } = this.scenario
    for (let i = Math.round(peers * liars / (1 - liars)); i > 0; i--) {
      const liar = new Liar(this, this.#peerId(2 * peers + i), branch(this.#seed, DRAWS.liar, i))
      this.liars.set(liar.id, liar)
    }
  }

  renamed (liar: Liar, before: string): void {
    this.liars.delete(before)
    this.liars.set(liar.id, liar)
  }

  #connect (): void {
    const { scenario: { minLatencyMs, maxLatencyMs, degree } } = this
    const everybody = [...this.#peers, ...this.#squatters, ...this.liars.values()]
    const random = this.#random('latency')
    for (const [i, j] of connections(everybody.length, degree, this.#random('graph'))) {
      const [a, b] = [everybody[i]!, everybody[j]!]
      const latency = minLatencyMs + random() * (maxLatencyMs - minLatencyMs)
      this.link(a, b, latency)
      for (const [liar, peer] of [
        [a, b], [b, a]
      ])
        if (liar instanceof Liar && peer instanceof Peer) liar.befriend(peer, latency)
    }
  }

  link (a: Member, b: Member, latency: number): void {
    const { pieces } = this.scenario
    const here = new SimulatedWire(this, latency, { peerId: b.peerId, pieceCount: pieces })
    const there = new SimulatedWire(this, latency, { peerId: a.peerId, pieceCount: pieces })
    SimulatedWire.link(here, there)
    this.#join(a, here)
    this.#join(b, there)
  }

  #join (peer: Member, wire: SimulatedWire): void {
    peer.connect(wire)
    if (!(peer instanceof Peer)) return
    const wires = this.#wires.get(peer)
    if (wires === undefined) this.#wires.set(peer, [wire])
    else wires.push(wire)
  }

  #start (): void {
    for (const squatter of this.#squatters) squatter.start()
    for (const peer of this.#peers) peer.start()
    this.#fates.forEach(({ diesAtMs }, i) => {
      if (diesAtMs < Infinity) this.clock.after(diesAtMs, () => { this.#kill(this.#peers[i]!) })
    })
    if (this.scenario.policy === 'random') this.#nextRound()
  }

  /** Everybody has finished a work item and knows of all others'. */
  #nextRound (): void {
    this.clock.after(this.scenario.workMs + ROUND_GAP_MS, () => {
      for (const peer of this.#peers) peer.start()
      this.#nextRound()
    })
  }

  #kill (peer: Peer): void {
    const wires = this.#wires.get(peer) ?? []
    for (const wire of wires) wire.cut()
    peer.die()
    this.#incomplete.delete(peer)
    this.clock.after(this.scenario.deathNoticeMs, () => { for (const wire of wires) wire.lose() })
  }
}

/** Without waiting and waste: every peer computes until the last piece is done, or until it dies. */
function fastest (work: Float64Array, fates: Fate[]): number {
  let left = work.reduce((sum, ms) => sum + ms, 0)
  let speed = fates.reduce((sum, fate) => sum + fate.speed, 0)
  let now = 0
  for (const fate of fates.toSorted((a, b) => a.diesAtMs - b.diesAtMs)) {
    if (now + left / speed <= fate.diesAtMs) break
    left -= (fate.diesAtMs - now) * speed
    now = fate.diesAtMs
    speed -= fate.speed
  }
  return now + left / speed
}

function some<T> (items: T[], fraction: number, random: Random): T[] {
  const rest = [...items]
  return Array.from(
    { length: share(items.length, fraction, random) }, () => rest.splice(Math.floor(random() * rest.length), 1)[0]!
  )
}

function sha256 (text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest())
}
