/**
 * Which torrent pieces of an input WebTorrent fetches: what any of its users wants. Used by shared-input.ts.
 */
import type { InternalTorrent } from './internals.ts'

/** The selections of one torrent that nobody else selects in. */
export class InputSelection {
  #isAll = false
  #wanted = new Set<number>()

  /** The torrent piece came: should it be lost, it is selected anew. */
  came (piece: number): void { this.#wanted.delete(piece) }

  /** What is here is being found out: all may have to be selected anew. */
  forget (): void {
    this.#isAll = false
    this.#wanted.clear()
  }

  /** Selects what somebody wants and is not here. */
  update (torrent: InternalTorrent, wants: ReadonlyArray<ReadonlySet<number> | 'all'>): void {
    const { pieces } = torrent
    const isAll = wants.includes('all') && pieces.some(piece => piece !== null)
    // one selection: WebTorrent walks through all there are for each that is added
    if (isAll !== this.#isAll) torrent[isAll ? 'select' : 'deselect'](0, pieces.length - 1, 1)
    if (isAll !== this.#isAll) this.#wanted.clear()
    this.#isAll = isAll
    if (isAll) return
    const wanted = new Set(wants.flatMap(each => each === 'all' ? [] : [...each].filter(piece => pieces[piece] !== null)))
    for (const piece of this.#wanted) if (!wanted.has(piece)) torrent.deselect(piece, piece)
    for (const piece of wanted) if (!this.#wanted.has(piece)) torrent.select(piece, piece, 1)
    this.#wanted = wanted
  }
}
