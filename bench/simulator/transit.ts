/**
 * The bytes of messages that are under way, in a few large buffers that are used over and over: as buffers of their own
 * they would make the engine collect garbage all the time.
 */
import type { VirtualClock } from './clock.ts'

const CHUNK_BYTES = 1024 * 1024

interface Chunk { readonly bytes: Uint8Array, used: number, neededUntil: number }

/** What is on the wires of one swarm. */
export class Transit {
  readonly #clock: VirtualClock
  /** full ones, oldest first */
  readonly #full: Chunk[] = []
  #current: Chunk = emptyChunk(CHUNK_BYTES)

  constructor (clock: VirtualClock) {
    this.#clock = clock
  }

  /** A copy that lasts for `ms` milliseconds of virtual time, and until what happens then is over. */
  copy (bytes: Uint8Array, ms: number): Uint8Array {
    if (this.#current.used + bytes.length > this.#current.bytes.length) this.#next(bytes.length)
    const { bytes: room, used } = this.#current
    room.set(bytes, used)
    this.#current.used += bytes.length
    this.#current.neededUntil = Math.max(this.#current.neededUntil, this.#clock.now() + ms)
    return room.subarray(used, used + bytes.length)
  }

  #next (least: number): void {
    this.#full.push(this.#current)
    const [oldest] = this.#full
    if (oldest !== undefined && oldest.neededUntil < this.#clock.now() && oldest.bytes.length >= least) {
      this.#full.shift()
      this.#current = Object.assign(oldest, { used: 0 })
    } else this.#current = emptyChunk(Math.max(CHUNK_BYTES, least))
  }
}

function emptyChunk (length: number): Chunk {
  return { bytes: new Uint8Array(length), used: 0, neededUntil: -Infinity }
}
