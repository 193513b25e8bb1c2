/** What is on its way to disk, which may be slower than the network. */
import type { PieceSink } from './assembly.ts'

/** Nothing more is requested while so much waits to be written. */
const MAX_UNWRITTEN_BYTES = 32 << 20

/** Counts the bytes that were given to sinks and are not written yet. */
export class WriteBacklog {
  readonly #drained: () => void
  #bytes = 0

  /** @param drained it was full, and is not any more */
  constructor (drained: () => void) {
    this.#drained = drained
  }

  get isFull (): boolean { return this.#bytes > MAX_UNWRITTEN_BYTES }

  /** The same sink, whose writes are counted. */
  counting (sink: PieceSink): PieceSink {
    return {
      write: async (at, bytes) => {
        this.#bytes += bytes.length
        try {
          await sink.write(at, bytes)
        } finally {
          const wasFull = this.isFull
          this.#bytes -= bytes.length
          if (wasFull && !this.isFull) this.#drained()
        }
      },
      hashInto: async (digest, at, length) => sink.hashInto(digest, at, length),
      discard: () => { sink.discard() }
    }
  }
}
