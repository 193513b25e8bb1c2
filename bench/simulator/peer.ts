/**
 * One peer: the parts of lib/ and the extension, connected to each other as lib/session/work-session.ts connects them, with
 * virtual work and virtual downloads in place of the store and the downloader.
 */
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { LocalTask, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { Neighbours } from '../../lib/peers/neighbours.ts'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import type { Result } from '../../lib/results/result.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import { ComputeSlots } from '../../lib/session/compute-slots.ts'
import type { VirtualClock } from './clock.ts'
import { Downloads } from './downloads.ts'
import type { Liar } from './liar.ts'
import type { Random } from './random.ts'
import { RandomScheduler } from './random-scheduler.ts'
import type { Scenario } from './scenario.ts'
import type { Tally } from './tally.ts'
import type { SimulatedWire } from './wire.ts'
import { compute } from './work.ts'

/** As in lib/session/work-session.ts. */
const HOUSEKEEPING_MS = 10_000

/** What all peers of a swarm share. */
export interface World {
  readonly scenario: Scenario
  readonly clock: VirtualClock
  readonly tally: Tally
  readonly task: LocalTask
  /** the one result of each piece */
  readonly results: Result[]
  /** of each piece, in milliseconds at speed 1 */
  readonly work: Float64Array
  /** pieces that somebody has computed */
  readonly computed: Uint8Array
  /** by peer id, hex */
  readonly liars: ReadonlyMap<string, Liar>
  /** a liar goes by another id now */
  renamed (liar: Liar, before: string): void
  /** connects two peers */
  link (liar: Liar, peer: Peer, latency: number): void
  /** the peer has every piece */
  completed (peer: Peer): void
}

/** A peer that computes. */
export class Peer {
  readonly peerId: Uint8Array
  readonly speed: number
  isAlive = true
  readonly #world: World
  readonly #results: ResultTable
  readonly #scheduler: Scheduler
  readonly #neighbours: Neighbours
  readonly #downloads: Downloads
  readonly #slots: ComputeSlots
  readonly #isSilent: boolean
  /** of announcements that wait to be sent */
  #flushes: Array<() => void> = []

  constructor (world: World, peerId: Uint8Array, speed: number, random: Random) {
    const { scenario, clock, task } = world
    this.#world = world
    this.peerId = peerId
    this.speed = speed
    this.#isSilent = scenario.policy !== 'bitworker'
    this.#results = new ResultTable(task.pieceCount)
    const options = { pieceCount: task.pieceCount, peerId: Buffer.from(peerId).toString('hex'), random, now: clock.now }
    const overdue = (): void => { this.#downloads.hasten() }
    this.#scheduler = this.#isSilent ? new RandomScheduler(options) : new Scheduler({ ...options, overdue })
    this.#neighbours = this.#createNeighbours()
    this.#downloads = this.#createDownloads()
    this.#slots = this.#createSlots()
    this.#slots.pause()
    clock.after(random() * HOUSEKEEPING_MS, () => { this.#keepHouse() })
  }

  /** Starts work items from now on. */
  start (): void { this.#slots.resume() }

  /** It ends without a word. */
  die (): void {
    this.isAlive = false
    this.#neighbours.close()
    void this.#slots.stop()
  }

  /** Takes up one end of a connection. */
  connect (wire: SimulatedWire): void {
    const { task, clock: { now }, tally } = this.#world
    const ext: UtBitworker = new (utBitworker({ task, now, schedule: (flush, ms) => { this.#flushLater(flush, ms) } }))(wire.asWire)
    ext.on('claims', claims => { tally.claims += claims.length })
    ext.on('backups', backups => { tally.claims += backups.length })
    ext.on('relays', relays => { tally.relays += relays.length })
    wire.once('extended', () => {
      this.#neighbours.add(wire.asWire, ext)
      this.#neighbours.greet(wire.asWire)
    })
    wire.open(ext)
  }

  #createNeighbours (): Neighbours {
    return new Neighbours(this.#results, this.#scheduler, {
      clock: this.#world.clock,
      peerId: this.peerId,
      claims: opts => this.#isSilent ? [] : this.#slots.claims(opts),
      available: (peer, index) => {
        if (peer.hasDelivered && this.#scheduler.deliveries.isExpectedFrom(peer.holder, index)) this.#abort(index, 'another peer has it')
        this.#downloads.offer(peer, index)
      },
      yield: (index, other) => { if (!this.#isSilent) this.#slots.yieldTo(index, other) },
      updated: () => { this.#slots.run() },
      left: peer => {
        this.#downloads.removePeer(peer)
        this.#slots.run()
      },
      wants: () => false,
      serve: () => {},
      strike: (peer, reason) => { this.#onMisdeed(peer, reason) },
      ban: (peer, reason) => {
        this.#onMisdeed(peer, reason)
        peer.wire.destroy()
      }
    })
  }

  #createDownloads (): Downloads {
    const { scenario, clock } = this.#world
    const pieceMs = scenario.pieceBytes / scenario.bytesPerSecond * 1000
    return new Downloads({
      clock,
      peers: this.#neighbours,
      deliveries: this.#scheduler.deliveries,
      needs: index => this.#scheduler.isMissing(index),
      transferMs: peer => {
        const { latencyMs } = peer.wire as unknown as SimulatedWire
        return 2 * latencyMs + (this.#world.liars.get(peer.id)?.transferMs(this) ?? pieceMs)
      },
      isGone: peer => (peer.wire as unknown as SimulatedWire).isCut,
      isGood: peer => this.#world.liars.get(peer.id)?.isGood !== false,
      distrust: (peer, index) => { this.#neighbours.distrust(peer, index, 'wrong data') },
      stored: (index, peer) => { this.#onDownloaded(index, peer) }
    })
  }

  #createSlots (): ComputeSlots {
    const { clock, scenario } = this.#world
    return new ComputeSlots(this.#scheduler, {
      generate: index => this.#generate(index),
      started: () => {},
      claim: (claims, opts) => { if (!this.#isSilent) this.#neighbours.claim(claims, opts) },
      release: indices => { if (!this.#isSilent) this.#neighbours.release(indices) },
      computed: (index, result) => { this.#onComputed(index, result) },
      failed: (_index, err) => { throw err },
      aborted: () => {},
      idle: () => {}
    }, { slots: scenario.slots, clock })
  }

  #generate (index: number): ReturnType<typeof compute> {
    const { clock, results, work, tally } = this.#world
    tally.started++
    return compute({
      clock,
      index,
      result: results[index]!,
      ms: work[index]! / this.speed,
      ended: (ms, wasKilled) => { this.#count(index, ms, wasKilled) }
    })
  }

  #count (index: number, ms: number, wasKilled: boolean): void {
    const { tally, computed } = this.#world
    tally.computedMs += ms
    if (wasKilled) {
      tally.aborted++
      if (this.isAlive) tally.wastedMs += ms
      else tally.lostMs += ms
      return
    }
    tally.finished++
    if (computed[index] === 1) {
      tally.duplicates++
      tally.wastedMs += ms
    }
    computed[index] = 1
  }

  /** Peers that only choose at random finish what they began. */
  #abort (index: number, reason: string): void {
    if (!this.#isSilent) this.#slots.abort(index, reason)
  }

  #onComputed (index: number, result: Result): void {
    if (!this.isAlive) return
    // a round ends for all at once: nobody chooses before everybody's news are here
    if (this.#world.scenario.policy === 'random') this.#slots.pause()
    if (this.#results.has(index)) return
    this.#downloads.cancel(index)
    this.#onStored(index, result)
  }

  #onDownloaded (index: number, peer: TaskPeer): void {
    if (!this.isAlive) return
    this.#neighbours.delivered(peer, this.#world.results[index]!.size)
    this.#abort(index, 'it was downloaded')
    if (this.#results.has(index)) return
    this.#world.tally.downloads++
    this.#onStored(index, this.#world.results[index]!)
  }

  #onStored (index: number, result: Result): void {
    this.#results.setOwn(index, result)
    this.#scheduler.setMissing(index, false)
    this.#neighbours.announce(index, result)
    if (this.#scheduler.missing === 0) this.#world.completed(this)
  }

  /** What one peer announces within the same while goes out together. */
  #flushLater (flush: () => void, ms: number): void {
    const { clock, scenario: { batchMs } } = this.#world
    if (batchMs === 0) return clock.post(ms, flush)
    this.#flushes.push(flush)
    if (this.#flushes.length > 1) return
    clock.post(batchMs, () => {
      const flushes = this.#flushes
      this.#flushes = []
      for (const send of flushes) send()
    })
  }

  #onMisdeed (peer: TaskPeer, reason: string): void {
    if (!this.#world.liars.has(peer.id)) throw new Error(`the simulation broke the protocol: ${reason}`)
  }

  #keepHouse (): void {
    if (!this.isAlive) return
    this.#neighbours.tidy()
    this.#scheduler.deliveries.expire()
    this.#downloads.hasten()
    this.#world.clock.after(HOUSEKEEPING_MS, () => { this.#keepHouse() })
  }
}
