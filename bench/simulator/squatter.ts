/** A peer that claims as many pieces as the protocol permits, and never delivers one. */
import { CLAIM_LEASE_MS, CLAIM_RENEW_MS, MAX_CLAIMS, MAX_RELAYS } from '../../extensions/ut_bitworker/constants.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { shuffle } from './random.ts'
import type { Random } from './random.ts'
import type { SimulatedWire } from './wire.ts'
import { extensionFor } from './world.ts'
import type { World } from './world.ts'

/** What a squatter says its pieces have been running for: longer than anybody, so that it wins every collision. */
const ELAPSED_MS = 3_600_000
/** Claims of each invented neighbour: what newcomers are believed (lib/scheduling/claimants.ts). */
const CLAIMS_EACH = 8

/** A peer that only pretends. */
export class Squatter {
  readonly peerId: Uint8Array
  readonly #world: World
  readonly #random: Random
  readonly #exts = new Set<UtBitworker>()
  #claimed: number[] = []
  #invented: string[] = []

  constructor (world: World, peerId: Uint8Array, random: Random) {
    this.#world = world
    this.peerId = peerId
    this.#random = random
  }

  start (): void {
    this.#claimed = this.#choose()
    this.#claim(this.#exts)
    this.#again()
  }

  connect (wire: SimulatedWire): void {
    const ext = extensionFor(this.#world, wire)
    this.#exts.add(ext)
    wire.open(ext)
  }

  #choose (): number[] {
    const open = Array.from(this.#world.computed.keys()).filter(index => this.#world.computed[index] === 0)
    return shuffle(open, this.#random).slice(0, MAX_CLAIMS)
  }

  #claim (exts: Iterable<UtBitworker>): void {
    const claims = this.#claimed.map(index => ({ index, elapsedMs: ELAPSED_MS, estimateMs: 2 * ELAPSED_MS }))
    for (const ext of exts) ext.claim(claims)
    if (this.#world.scenario.squat === 'invent') this.#invent(exts)
  }

  #invent (exts: Iterable<UtBitworker>): void {
    const ids = Array.from({ length: MAX_RELAYS / CLAIMS_EACH }, () => hex(this.#random))
    const relays = ids.flatMap(peerId => this.#choose().slice(0, CLAIMS_EACH).map(index => (
      { index, elapsedMs: ELAPSED_MS, estimateMs: 2 * ELAPSED_MS, firstElapsedMs: ELAPSED_MS, isBackup: false, peerId }
    )))
    for (const ext of exts) {
      for (const id of this.#invented) ext.setNeighbour(id, false)
      for (const id of ids) ext.setNeighbour(id, true)
      ext.relay(relays)
    }
    this.#invented = ids
  }

  #again (): void {
    const { squat } = this.#world.scenario
    this.#world.clock.after(squat === 'lapse' ? CLAIM_LEASE_MS : CLAIM_RENEW_MS, () => {
      if (squat === 'cycle') for (const ext of this.#exts) ext.release(this.#claimed)
      if (squat !== 'hold') this.#claimed = this.#choose()
      this.#claim(this.#exts)
      this.#again()
    })
  }
}

function hex (random: Random): string {
  return Buffer.from(Uint8Array.from({ length: 20 }, () => random() * 256)).toString('hex')
}
