/** Limits what has come and is not stored yet: the disk may be slower than the network, and so may those that judge. */
import type { PieceSink } from './assembly.ts'

/** While this many bytes wait to be written, nothing more is requested. */
const MAX_UNWRITTEN_BYTES = 32 << 20

/** Counts the bytes that sinks have received and not written yet. */
export class WriteBacklog {
  readonly #host: { readonly isFull: boolean }
  readonly #drained: () => void
  #bytes = 0
  /** somebody was told that the host is full */
  #isHeld = false

  /**
   * @param host is full if too many complete pieces wait there
   * @param drained called when the backlog is no longer full
   */
  constructor (host: { readonly isFull: boolean }, drained: () => void) {
    this.#host = host
    this.#drained = drained
  }

  get isFull (): boolean {
    this.#isHeld ||= this.#host.isFull
    return this.#isHeld || this.#isWriting
  }

  get #isWriting (): boolean { return this.#bytes > MAX_UNWRITTEN_BYTES }

  /** A complete piece waits no longer. */
  look (): void {
    if (!this.#isHeld || this.#host.isFull) return
    this.#isHeld = false
    if (!this.#isWriting) queueMicrotask(this.#drained)
  }

  /** Wraps a sink so that its writes are counted. */
  counting (sink: PieceSink): PieceSink {
    return {
      write: async (at, bytes) => {
        this.#bytes += bytes.length
        try {
          await sink.write(at, bytes)
        } finally {
          const wasWriting = this.#isWriting
          this.#bytes -= bytes.length
          if (wasWriting && !this.isFull) this.#drained()
        }
      },
      hashInto: async (digest, at, length) => sink.hashInto(digest, at, length),
      discard: () => { sink.discard() }
    }
  }
}
