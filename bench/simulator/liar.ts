/** A peer that says it has every piece, and does not deliver as others do. */
import { createHash } from 'node:crypto'
import type { ResultRecord, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Random } from './random.ts'
import type { SimulatedWire } from './wire.ts'
import { extensionFor } from './world.ts'
import type { Deceiver, Member, World } from './world.ts'

/** Between two blocks of one that trickles. */
const BLOCK_MS = 25_000
const BLOCK_BYTES = 16_384
/** How long a peer id lasts of one that comes back under new ones. */
const LIFE_MS = 30_000
/** Pieces that one delivers to earn credit, and how long each takes. */
const BAIT_PIECES = 20
const BAIT_MS = 50
/** And when it announces the rest. */
const BAIT_END_MS = 5_000
/** A slow one takes a little less for each piece than to compute it. */
const SLOW_SHARE = 0.9

/** A peer that only pretends to have what it announces. */
export class Liar implements Deceiver {
  peerId: Uint8Array
  readonly #world: World
  readonly #random: Random
  readonly #friends: Array<{ peer: Member, latency: number }> = []
  readonly #wires = new Map<SimulatedWire, UtBitworker>()
  /** of each peer: when it will have been sent what it asked for, and how many pieces that were */
  readonly #sent = new Map<Member, { untilMs: number, pieces: number }>()

  constructor (world: World, peerId: Uint8Array, random: Random) {
    this.#world = world
    this.peerId = peerId
    this.#random = random
  }

  /** Hex. */
  get id (): string { return Buffer.from(this.peerId).toString('hex') }

  /** What it sends matches its digest. */
  get isGood (): boolean { return this.#world.scenario.lie !== 'garbage' }

  start (): void {
    const { clock, scenario: { lie } } = this.#world
    this.#announce()
    if (lie === 'reborn') clock.after(LIFE_MS, () => { this.#comeBack() })
    if (lie === 'bait') clock.after(BAIT_END_MS, () => { this.#announce(Infinity) })
  }

  connect (wire: SimulatedWire): void {
    const ext = extensionFor(this.#world, wire)
    this.#wires.set(wire, ext)
    wire.open(ext)
  }

  /** It is connected to this peer, and connects to it again when it comes back. */
  befriend (peer: Member, latency: number): void { this.#friends.push({ peer, latency }) }

  /** How long the peer waits for a piece that it asks for now, but for the network. */
  transferMs (peer: Member): number {
    const { clock, scenario: { lie, pieceBytes, workMs } } = this.#world
    const sent = this.#sent.get(peer) ?? { untilMs: 0, pieces: 0 }
    this.#sent.set(peer, sent)
    sent.pieces++
    if (lie === 'garbage' || (lie === 'bait' && sent.pieces <= BAIT_PIECES)) return BAIT_MS
    if (lie !== 'trickle' && lie !== 'slow') return Infinity
    const pieceMs = lie === 'slow' ? SLOW_SHARE * workMs : Math.ceil(pieceBytes / BLOCK_BYTES) * BLOCK_MS
    sent.untilMs = Math.max(sent.untilMs, clock.now()) + pieceMs
    return sent.untilMs - clock.now()
  }

  #announce (count = this.#world.scenario.lie === 'bait' ? BAIT_PIECES : Infinity): void {
    const { results, scenario: { lie } } = this.#world
    const records = results
      .slice(0, count)
      .map(({ size, digest }, index): ResultRecord =>
        lie === 'sizes'
          ? { index, size: 1, digest: createHash('sha256').update(`short ${index}`).digest() }
          : { index, size, digest }
      )
    for (const ext of this.#wires.values()) ext.announce(records, records.map(({ index }) => index))
  }

  #comeBack (): void {
    const { clock } = this.#world
    for (const wire of this.#wires.keys()) wire.destroy()
    this.#wires.clear()
    const { id } = this
    this.peerId = Uint8Array.from({ length: 20 }, () => this.#random() * 256)
    this.#world.renamed(this, id)
    for (const { peer, latency } of this.#friends) this.#world.link(this, peer, latency)
    // both digests are known by then
    clock.after(1_000, () => { this.#announce() })
    clock.after(LIFE_MS, () => { this.#comeBack() })
  }
}
