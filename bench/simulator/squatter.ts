/** A peer that claims as many pieces as the protocol permits, and never delivers one. */
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { CLAIM_LEASE_MS, CLAIM_RENEW_MS, MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { World } from './peer.ts'
import { shuffle } from './random.ts'
import type { Random } from './random.ts'
import type { SimulatedWire } from './wire.ts'

/** What a squatter says its pieces have been running for: longer than anybody, so that it wins every collision. */
const ELAPSED_MS = 3_600_000

/** A peer that only pretends. */
export class Squatter {
  readonly peerId: Uint8Array
  readonly #world: World
  readonly #random: Random
  readonly #exts = new Set<UtBitworker>()
  #claimed: number[] = []

  constructor (world: World, peerId: Uint8Array, random: Random) {
    this.#world = world
    this.peerId = peerId
    this.#random = random
  }

  start (): void {
    this.#choose()
    this.#claim(this.#exts)
    this.#again()
  }

  connect (wire: SimulatedWire): void {
    const { task, clock } = this.#world
    const ext: UtBitworker = new (utBitworker({ task, now: clock.now, schedule: flush => { clock.post(0, flush) } }))(wire.asWire)
    this.#exts.add(ext)
    wire.open(ext)
  }

  #choose (): void {
    const open = Array.from(this.#world.computed.keys()).filter(index => this.#world.computed[index] === 0)
    this.#claimed = shuffle(open, this.#random).slice(0, MAX_CLAIMS)
  }

  #claim (exts: Iterable<UtBitworker>): void {
    const claims = this.#claimed.map(index => ({ index, elapsedMs: ELAPSED_MS, estimateMs: 2 * ELAPSED_MS }))
    for (const ext of exts) ext.claim(claims)
  }

  #again (): void {
    const { squat } = this.#world.scenario
    this.#world.clock.after(squat === 'lapse' ? CLAIM_LEASE_MS : CLAIM_RENEW_MS, () => {
      if (squat === 'cycle') for (const ext of this.#exts) ext.release(this.#claimed)
      if (squat !== 'hold') this.#choose()
      this.#claim(this.#exts)
      this.#again()
    })
  }
}
