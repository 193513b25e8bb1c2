/** A peer of a simulated swarm, and what all of them share. */
import type { DownloadHost, DownloadParts } from '../../lib/download/download-host.ts'
import type { SchedulerOptions } from '../../lib/scheduling/scheduler.ts'
import { sameResult } from '../../lib/results/result.ts'
import type { Verifying } from '../../lib/session/attestations.ts'
import type { KeyEvent, MisdeedEvent } from '../../lib/session/events.ts'
import type { SessionHost } from '../../lib/session/session-host.ts'
import { WorkSession } from '../../lib/session/work-session.ts'
import type { Generation } from '../../lib/store/types.ts'
import { keyOf } from './attestations.ts'
import type { Board } from './attestations.ts'
import { SimulatedDownloads } from './downloads.ts'
import type { Random } from './random.ts'
import { RandomScheduler } from './random-scheduler.ts'
import { CheckedStore, SimulatedStore } from './store.ts'
import type { SimulatedWire } from './wire.ts'
import { compute } from './work.ts'
import { extensionFor } from './world.ts'
import type { World } from './world.ts'

/** How much faster than the work is a program that only says something. */
const FORGER_SPEED = 20

/** A peer that computes: a session of lib/, with a network, a store and downloads that are simulated. */
export class Peer {
  readonly peerId: Uint8Array
  readonly speed: number
  isAlive = true
  /** its program is wrong, in one way or another */
  readonly isForger: boolean
  readonly #world: World
  readonly #store: SimulatedStore
  readonly #session: WorkSession
  /** it chooses at random: it says nothing of its work, and finishes what it began */
  readonly #isSilent: boolean
  /** of announcements that wait to be sent */
  #flushes: Array<() => void> = []

  constructor (world: World, peerId: Uint8Array, speed: number, random: Random, isForger = false) {
    const { scenario, clock, task } = world
    this.#world = world
    this.peerId = peerId
    this.speed = speed
    this.isForger = isForger
    const generate = (index: number): Generation => this.#generate(index)
    const store = this.#store = world.board === null ? new SimulatedStore(generate) : new CheckedStore(generate)
    this.#isSilent = scenario.policy !== 'bitworker'
    this.#session = new WorkSession(task, {
      store,
      peerId,
      clock,
      random,
      lag: () => scenario.lagMs,
      createDownloads: (parts, host) => this.#createDownloads(parts, host),
      ...(this.#isSilent && { createScheduler: (options: SchedulerOptions) => new RandomScheduler(options) })
    }, this.#createHost())
    if (world.board !== null) this.#session.setPolicy(this.#verifying(world.board), 'possible')
    this.#session.startComputing(scenario.slots, 'suspend')
    if (world.board !== null) void this.#session.open()
  }

  /** The number of pieces whose stored result is not the right one. */
  get wrong (): number {
    const { results } = this.#world
    return results.filter((right, index) => {
      const own = this.#session.results.own(index)
      return own === undefined || !sameResult(own, right)
    }).length
  }

  /** A forger believes everybody, and attests what its program says. */
  #verifying (board: Board): Verifying {
    const ownKey = keyOf(this.peerId)
    return {
      ownKey,
      policy: { kind: this.isForger ? 'off' : this.#world.scenario.verify },
      createAttestations: (parts, host) => board.join(ownKey, parts, host)
    }
  }

  /** Starts work items from now on. */
  start (): void { this.#session.resumeComputing() }

  /** It ends without a word. */
  die (): void {
    this.isAlive = false
    void this.#session.close(null)
  }

  /** Takes up one end of a connection. */
  connect (wire: SimulatedWire): void {
    const { tally } = this.#world
    const ext = extensionFor(this.#world, wire, (flush, ms) => { this.#flushLater(flush, ms) })
    if (this.#isSilent) Object.assign(ext, { claim () {}, release () {} })
    ext.on('claims', claims => { tally.claims += claims.length })
    ext.on('backups', backups => { tally.claims += backups.length })
    ext.on('relays', relays => { tally.relays += relays.length })
    wire.once('extended', () => {
      this.#session.addPeer(wire.asWire, ext)
      this.#session.greet(wire.asWire)
    })
    wire.open(ext)
  }

  #createHost (): SessionHost {
    const { task } = this.#world
    return {
      report: (event, payload) => {
        if ((event === 'strike' || event === 'ban') && !this.isForger) this.#onMisdeed(payload as MisdeedEvent)
        if (event === 'excluded' && !this.isForger) this.#world.excluded((payload as KeyEvent).key)
        // a round ends for all at once: nobody chooses before everybody's news are here
        if (this.#world.scenario.policy === 'random' && (event === 'computed' || event === 'aborted')) {
          this.#session.pauseComputing()
        }
      },
      stored: () => {
        if (!this.isAlive || this.#world.board !== null) return
        if (this.#session.progress.tally().stored === task.pieceCount) this.#world.completed(this)
      },
      lost: () => {},
      fileFinished: () => {},
      warn: () => {},
      done: () => { if (this.isAlive && this.#world.board !== null) this.#world.completed(this) },
      ban: wire => { if (this.#world.board !== null && !this.isForger) wire.destroy() },
      ended: () => {},
      broken: err => {
        throw err
      }
    }
  }

  #createDownloads (parts: DownloadParts, host: DownloadHost): SimulatedDownloads {
    const { scenario, clock, tally } = this.#world
    const store = this.#store
    const pieceMs = scenario.pieceBytes / scenario.bytesPerSecond * 1000
    return new SimulatedDownloads(parts, host, {
      clock,
      commit: async (index, result) => store instanceof CheckedStore ? store.commit(index, result) : result,
      transferMs: peer => {
        const { latencyMs } = peer.wire as unknown as SimulatedWire
        return 2 * latencyMs + (this.#world.liars.get(peer.id)?.transferMs(this) ?? pieceMs)
      },
      isGone: peer => (peer.wire as unknown as SimulatedWire).isCut,
      isGood: peer => this.#world.liars.get(peer.id)?.isGood !== false,
      ended: () => { tally.downloads++ }
    })
  }

  #generate (index: number): Generation {
    const { clock, results, forged, work, tally, scenario: { forgery } } = this.#world
    tally.started++
    const generation = compute({
      clock,
      index,
      result: this.#isForged(index) ? forged[index]! : results[index]!,
      ms: work[index]! / this.speed * this.#slowdown / (this.isForger && forgery === 'instant' ? FORGER_SPEED : 1),
      ended: (ms, wasKilled) => { this.#count(index, ms, wasKilled) }
    })
    return this.#isSilent ? { ...generation, kill: () => { if (!this.isAlive) generation.kill() } } : generation
  }

  #isForged (index: number): boolean {
    if (!this.isForger) return false
    const { clock, idealMs, scenario: { forgery } } = this.#world
    return forgery === 'instant' || (forgery === 'tenth' ? index % 10 === 0 : clock.now() > idealMs / 2)
  }

  get #slowdown (): number {
    const { scenario: { busyAfterMs, busyFactor }, clock } = this.#world
    return busyAfterMs > 0 && clock.now() > busyAfterMs ? busyFactor : 1
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

  #onMisdeed ({ peer, reason }: MisdeedEvent): void {
    if (!this.#world.liars.has(peer) && !this.#world.isForger(peer)) throw new Error(`the simulation broke the protocol: ${reason}`)
  }
}
