/** Keeps attestations in memory: for tests, and for tasks without a folder. */
import type { StatementLog } from '../store/types.ts'

/** @see StatementLog */
export class MemoryStatementLog implements StatementLog {
  readonly #records = new Map<number, Uint8Array[]>()

  add (...added: Uint8Array[]): void {
    for (const record of added) {
      const index = new DataView(record.buffer, record.byteOffset).getUint32(0)
      const records = this.#records.get(index)
      if (records === undefined) this.#records.set(index, [record])
      else records.push(record)
    }
  }

  of (index: number): Uint8Array[] { return [...this.#records.get(index) ?? []] }

  * all (): Generator<Uint8Array> { for (const records of this.#records.values()) yield * records }
}
