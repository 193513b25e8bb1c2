/**
 * Selects the torrent pieces of an input that WebTorrent downloads: all that any of its users wants. Used by
 * shared-input.ts.
 */
import type { InternalTorrent } from './internals.ts'

/** The selections of one torrent, which nobody else changes. */
export class InputSelection {
  #isAll = false
  #wanted = new Set<number>()
  readonly #random: () => number

  /** @param random chooses the piece to begin with; default: Math.random */
  constructor (random = Math.random) {
    this.#random = random
  }

  /** The torrent piece has arrived. If it is lost, it is selected again. */
  came (piece: number): void { this.#wanted.delete(piece) }

  /** The stored pieces are being determined: all may have to be selected again. */
  forget (): void {
    this.#isAll = false
    this.#wanted.clear()
  }

  /**
   * Selects the pieces that are wanted and not stored.
   * @param missing number of all pieces that are not
   */
  update (torrent: InternalTorrent, wants: ReadonlyArray<ReadonlySet<number> | 'all'>, missing: number): void {
    const { pieces } = torrent
    const isAll = wants.includes('all') && missing > 0
    // few selections, because WebTorrent walks through all selections for each that is added
    if (isAll !== this.#isAll) torrent.deselect(0, pieces.length - 1)
    if (isAll && !this.#isAll) this.#selectAll(torrent)
    if (isAll !== this.#isAll) this.#wanted.clear()
    this.#isAll = isAll
    if (isAll) return
    const wanted = new Set(wants.flatMap(each => each === 'all' ? [] : [...each].filter(piece => pieces[piece] !== null)))
    for (const piece of this.#wanted) if (!wanted.has(piece)) torrent.deselect(piece, piece)
    for (const piece of wanted) if (!this.#wanted.has(piece)) torrent.select(piece, piece, 1)
    this.#wanted = wanted
  }

  /** Begins at a random piece, so that peers that start together download different pieces and exchange them. */
  #selectAll (torrent: InternalTorrent): void {
    const last = torrent.pieces.length - 1
    const first = Math.floor(this.#random() * (last + 1))
    torrent.select(first, last, 0)
    if (first > 0) torrent.select(0, first - 1, 0)
  }
}
