/**
 * When a work item is reported to have begun and ended. A slot is free as soon as its command has ended, and the next
 * item starts while the piece is still being stored: told as it happens, more items would be at work than there are
 * slots, and the next would begin before the last has ended. So an item's begin is told when the slot before it is told
 * to be free. Pure.
 */

interface Item {
  readonly index: number
  isShown: boolean
  /** tells of its end; null while it goes on */
  tellEnd: (() => void) | null
}

/** The reports of one task's slots. */
export class SlotReports {
  readonly #slots: number
  readonly #tellBegin: (index: number) => void
  /** those whose end is not known yet */
  readonly #open = new Map<number, Item>()
  /** those whose begin is to be told, in order */
  #waiting: Item[] = []
  #shown = 0

  /** @param tellBegin called when an item is to be reported */
  constructor (slots: number, tellBegin: (index: number) => void) {
    this.#slots = slots
    this.#tellBegin = tellBegin
  }

  /** Items that were reported to have begun, and not to have ended; never more than slots. */
  get running (): number { return this.#shown }

  /** The piece's item has begun. */
  begin (index: number): void {
    const item: Item = { index, isShown: false, tellEnd: null }
    this.#open.set(index, item)
    this.#waiting.push(item)
    this.#tell()
  }

  /** The piece's item has ended; `tell` is called now, or once its begin was told. */
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
