/**
 * Sends everything that is written to a wire within one turn of the event loop as one chunk. bittorrent-protocol writes
 * a message's header and data separately, and WebTorrent passes each through two more streams and a system call, which
 * costs several times as much as the message itself. Called by torrent.ts for each wire that takes part in a task.
 */
import type { Wire } from '../base/wire.ts'

/** Longer chunks save nothing, and cost a copy and memory. */
const CHUNK_BYTES = 64 * 1024

interface BatchedWire {
  _push (data: Uint8Array): unknown
  end (data?: unknown): unknown
}

/** The wires of one torrent that have something to send in this turn. */
export class WireBatches {
  readonly #due = new Set<Batch>()

  /** Makes the wire send once per turn. */
  add (wire: Wire): void {
    const batched = wire as unknown as BatchedWire
    const batch = new Batch(batched._push.bind(batched))
    const end = batched.end.bind(batched)
    batched._push = data => {
      if (this.#due.size === 0) setImmediate(() => { this.#flush() })
      this.#due.add(batch)
      batch.add(data)
    }
    // the end must follow what was written
    batched.end = data => {
      batch.flush()
      return end(data)
    }
  }

  #flush (): void {
    const due = [...this.#due]
    this.#due.clear()
    for (const batch of due) batch.flush()
  }
}

class Batch {
  readonly #push: (chunk: Uint8Array) => unknown
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor (push: (chunk: Uint8Array) => unknown) {
    this.#push = push
  }

  add (data: Uint8Array): void {
    this.#chunks.push(data)
    this.#bytes += data.length
    if (this.#bytes >= CHUNK_BYTES) this.flush()
  }

  flush (): void {
    if (this.#bytes === 0) return
    const chunk = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes)
    this.#chunks = []
    this.#bytes = 0
    this.#push(chunk)
  }
}
