/**
 * Sends what is said on a wire within one turn of the event loop as one chunk. bittorrent-protocol writes a message's
 * header and its data apart, and WebTorrent takes each through two more streams and a system call: several times what
 * the message itself costs. Called by torrent.ts for each wire that takes part in a task.
 */
import type { Wire } from '../base/wire.ts'

/** A longer chunk saves nothing more: a copy of it is to be paid, and memory. */
const CHUNK_BYTES = 64 * 1024

interface BatchedWire {
  _push (data: Uint8Array): unknown
  end (data?: unknown): unknown
}

/** The wires of one torrent that have something to send in this turn. */
export class WireBatches {
  readonly #due = new Set<Batch>()

  /** From now on the wire sends once a turn. */
  add (wire: Wire): void {
    const batched = wire as unknown as BatchedWire
    const batch = new Batch(batched._push.bind(batched))
    const end = batched.end.bind(batched)
    batched._push = data => {
      if (this.#due.size === 0) setImmediate(() => { this.#flush() })
      this.#due.add(batch)
      batch.add(data)
    }
    // the end comes after what was said
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
