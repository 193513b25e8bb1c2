/**
 * A connection without bytes on a network: what bittorrent-protocol's Wire offers to the parts under test, and nothing
 * else. What one end sends reaches the other after the link's latency, in order.
 */
import { EventEmitter } from 'node:events'
import BitField from 'bitfield'
import { EXTENSION_NAME } from '../../extensions/ut_bitworker/constants.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire, WireEvents } from '../../lib/base/wire.ts'
import type { VirtualClock } from './clock.ts'
import type { Tally } from './tally.ts'
import type { Transit } from './transit.ts'

/** Bytes: a message of ut_bitworker; a number: a `have`; a function: anything else that happens at the other end. */
type Item = Uint8Array | number | (() => void)

/** Of one end of a connection, what cannot be shared by all ends of a peer. */
interface End {
  peerId: Uint8Array
  pieceCount: number
}

/** What all wires of a swarm share. */
export interface Surroundings { readonly clock: VirtualClock, readonly tally: Tally, readonly transit: Transit }

/** One end of a connection. */
export class SimulatedWire extends EventEmitter<WireEvents> {
  readonly peerId: string
  readonly peerIdBuffer: Uint8Array
  readonly peerPieces: Wire['peerPieces']
  readonly peerExtensions = { extended: true }
  readonly peerChoking = false
  readonly requests: never[] = []
  readonly lt_donthave = Object.assign(new EventEmitter(), {
    donthave: (index: number): void => { this.#push(() => { this.#other.#onDontHave(index) }) }
  })

  extendedHandshake: Record<string, unknown> = {}
  peerExtendedHandshake: Record<string, unknown> = {}
  peerExtendedMapping: Record<string, number> = {}
  destroyed = false
  /** nothing gets through any more, and nobody has noticed */
  isCut = false
  /** milliseconds, one way */
  readonly latencyMs: number
  readonly #clock: VirtualClock
  readonly #tally: Tally
  readonly #transit: Transit
  #other!: SimulatedWire
  #ext: UtBitworker | undefined
  /** what is sent at one instant travels together, as one event */
  #outgoing: Item[] = []
  #sentAt = -1

  constructor ({ clock, tally, transit }: Surroundings, latencyMs: number, { peerId, pieceCount }: End) {
    super()
    this.#clock = clock
    this.#tally = tally
    this.#transit = transit
    this.latencyMs = latencyMs
    this.peerIdBuffer = peerId
    this.peerId = Buffer.from(peerId).toString('hex')
    this.peerPieces = new BitField(pieceCount)
  }

  /** As the parts under test see it. */
  get asWire (): Wire { return this as unknown as Wire }

  /** Makes one connection of two ends. */
  static link (a: SimulatedWire, b: SimulatedWire): void {
    a.#other = b
    b.#other = a
  }

  /** Sends the extended handshake; `ext` gets the peer's messages. Its handshake is the event 'extended'. */
  open (ext: UtBitworker): void {
    this.#ext = ext
    const { extendedHandshake } = this
    this.#push(() => { this.#other.#onHandshake(extendedHandshake) })
  }

  extended (_name: string | number, bytes: Uint8Array): void {
    this.#tally.messages++
    this.#tally.messageBytes += bytes.length
    // nothing is copied that #push would drop
    if (!this.destroyed && !this.isCut) this.#push(this.#transit.copy(bytes, this.latencyMs))
  }

  have (index: number): void { this.#push(index) }

  interested (): void {}

  destroy (): void {
    if (this.destroyed) return
    this.#push(() => { this.#other.#onClose() })
    this.#onClose()
  }

  /** The peer behind this end dies without a word: from now on nothing gets through, either way. */
  cut (): void {
    this.isCut = true
    this.#other.isCut = true
  }

  /** After `cut`: the other end gives the connection up. */
  lose (): void { this.#other.destroy() }

  #push (item: Item): void {
    if (this.destroyed || this.isCut) return
    const now = this.#clock.now()
    if (this.#sentAt === now) {
      this.#outgoing.push(item)
      return
    }
    const items = [item]
    this.#sentAt = now
    this.#outgoing = items
    this.#clock.post(this.latencyMs, () => {
      if (items === this.#outgoing) this.#sentAt = -1
      if (!this.isCut) this.#other.#receive(items)
    })
  }

  #receive (items: Item[]): void {
    for (const item of items) {
      if (this.destroyed) return
      if (typeof item === 'number') this.#onHave(item)
      else if (typeof item === 'function') item()
      else this.#ext!.onMessage!(item)
    }
  }

  #onHandshake (handshake: Record<string, unknown>): void {
    this.peerExtendedMapping = { [EXTENSION_NAME]: 1 }
    this.peerExtendedHandshake = handshake
    this.#ext!.onExtendedHandshake!(handshake)
    this.emit('extended', 'handshake', handshake)
  }

  /** As bittorrent-protocol does: a bit that is set already is no news. */
  #onHave (index: number): void {
    if (this.peerPieces.get(index)) return
    this.peerPieces.set(index, true)
    this.emit('have', index)
  }

  #onDontHave (index: number): void {
    this.peerPieces.set(index, false)
    this.lt_donthave.emit('donthave', index)
  }

  #onClose (): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}
