/**
 * Determines which pieces WebTorrent's selections cover. However many files are selected or deselected in one turn, it
 * iterates over the pieces once. Called by torrent.ts.
 */

/** A range of pieces, both ends included. */
interface Selection { readonly from: number, readonly to: number }

/** Reports the wanted pieces, once after a turn in which selections were changed. */
export class WantedPieces {
  #isDue = false

  /** @param tell called with a function that returns for each of `pieceCount` pieces whether it is wanted */
  update (
    selections: Iterable<Selection>, pieceCount: number, tell: (isWanted: (index: number) => boolean) => void
  ): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      const wanted = new Uint8Array(pieceCount)
      for (const { from, to } of selections) wanted.fill(1, from, to + 1)
      tell(index => wanted[index] === 1)
    })
  }
}
