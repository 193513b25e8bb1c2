/** Limits the bytes that wait to be written, since the disk may be slower than the network. */
import type { PieceSink } from './assembly.ts'

/** While this many bytes wait to be written, nothing more is requested. */
const MAX_UNWRITTEN_BYTES = 32 << 20

/** Counts the bytes that sinks have received and not written yet. */
export class WriteBacklog {
  readonly #drained: () => void
  #bytes = 0

  /** @param drained called when the backlog is no longer full */
  constructor (drained: () => void) {
    this.#drained = drained
  }

  get isFull (): boolean { return this.#bytes > MAX_UNWRITTEN_BYTES }

  /** Wraps a sink so that its writes are counted. */
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
