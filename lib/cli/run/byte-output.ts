/** Standard output, for bytes in order that may come from one source after another. */
import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { BitWorkerError } from '../../base/errors.ts'

/** What was written so far, and the rest. */
export class ByteOutput {
  readonly #stream: Writable
  readonly #written = createHash('sha256')
  #length = 0

  constructor (stream: Writable) { this.#stream = stream }

  /**
   * Writes what the source has beyond the bytes that were written before; these must be the same. Rejects with
   * BW_ERR_PIECE_LOST if they are not, and with the errors of the source.
   * @returns false if the source broke off
   */
  async take (source: AsyncIterator<Uint8Array, boolean | undefined | void>): Promise<boolean> {
    const again = createHash('sha256')
    const before = this.#length
    const expected = this.#written.copy().digest('hex')
    let position = 0
    for (;;) {
      const { done, value } = await source.next()
      if (done === true) {
        if (value !== false && position < before) throw replaced()
        return value !== false
      }
      const known = value.subarray(0, Math.max(0, before - position))
      if (known.length > 0) {
        again.update(known)
        if (position + known.length === before && again.digest('hex') !== expected) throw replaced()
      }
      position += value.length
      await this.#write(value.subarray(known.length))
    }
  }

  async #write (bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    this.#written.update(bytes)
    this.#length += bytes.length
    const stream = this.#stream
    if (stream.write(bytes) || stream.destroyed) return
    await new Promise<void>(resolve => {
      const done = (): void => {
        stream.off('drain', done)
        stream.off('close', done)
        resolve()
      }
      stream.on('drain', done)
      stream.on('close', done)
    })
  }
}

function replaced (): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_PIECE_LOST', 'system', 'A piece that was already written has been replaced. Read the file again.'
  )
}
