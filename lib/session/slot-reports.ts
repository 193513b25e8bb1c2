/**
 * Decides when a work item is reported as started and ended. A slot is free as soon as its command has ended, and the
 * next item starts while the piece is still being stored. Reported as it happens, more items would run than there are
 * slots, and the next would start before the last has ended. Therefore the start of an item is reported only when a
 * slot has been reported as free. Pure.
 */

interface Item {
  readonly index: number
  isShown: boolean
  /** reports its end; null while it runs */
  tellEnd: (() => void) | null
}

/** The reports of one task's slots. */
export class SlotReports {
  readonly #slots: number
  readonly #tellBegin: (index: number) => void
  /** items whose end is not known yet */
  readonly #open = new Map<number, Item>()
  /** items whose start has not been reported, in order */
  #waiting: Item[] = []
  #shown = 0

  /** @param tellBegin called when an item's start is to be reported */
  constructor (slots: number, tellBegin: (index: number) => void) {
    this.#slots = slots
    this.#tellBegin = tellBegin
  }

  /** The number of items reported as started, and not as ended; never more than slots. */
  get running (): number { return this.#shown }

  /** The piece's item has started. */
  begin (index: number): void {
    const item: Item = { index, isShown: false, tellEnd: null }
    this.#open.set(index, item)
    this.#waiting.push(item)
    this.#tell()
  }

  /** The piece's item has ended. `tell` is called now, or after its start has been reported. */
  end (index: number, tell: () => void): void {
    const item = this.#open.get(index)
    this.#open.delete(index)
    if (item !== undefined && !item.isShown) {
      item.tellEnd = tell
      return
    }
    if (item !== undefined) this.#shown--
    tell()
    this.#tell()
  }

  #tell (): void {
    while (this.#shown < this.#slots) {
      const item = this.#waiting.shift()
      if (item === undefined) return
      item.isShown = true
      this.#shown++
      this.#tellBegin(item.index)
      if (item.tellEnd === null) continue
      this.#shown--
      item.tellEnd()
    }
  }
}
