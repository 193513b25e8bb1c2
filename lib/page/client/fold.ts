/**
 * Folds the states of pieces into columns: one column a device pixel, each with the mix of its pieces. Pure.
 * A fold reads each state once, however many there are; what is painted afterwards depends on the columns alone.
 */

import { KINDS } from './states.ts'

export interface Columns {
  readonly columns: number
  /** pieces of the first column's first piece, and after the last column's last one */
  readonly from: number
  readonly to: number
  /** `counts[column * KINDS + state]` */
  readonly counts: Uint32Array
}

/** The first piece of a column; with fewer pieces than columns, several columns show one piece. */
function firstPiece ({ columns, from, to }: Omit<Columns, 'counts'>, column: number): number {
  return from + Math.floor(column * (to - from) / columns)
}

/** Pieces `from` to `to` (exclusive) in so many columns; each column has at least one piece, if there are any. */
export function fold (states: Uint8Array, from: number, to: number, columns: number): Columns {
  const counts = new Uint32Array(columns * KINDS)
  const range = { columns, from, to }
  if (to > from) {
    for (let column = 0; column < columns; column++) {
      const first = firstPiece(range, column)
      const end = Math.max(first + 1, firstPiece(range, column + 1))
      const at = column * KINDS
      for (let piece = first; piece < end; piece++) counts[at + Math.min(states[piece]!, KINDS - 1)]!++
    }
  }
  return { ...range, counts }
}

/** The least copies of the pieces in each column: what would be lost first. */
export function foldLeast (copies: Uint8Array, from: number, to: number, columns: number): Uint8Array {
  const least = new Uint8Array(columns)
  const range = { columns, from, to }
  if (to <= from) return least
  for (let column = 0; column < columns; column++) {
    const first = firstPiece(range, column)
    const end = Math.max(first + 1, firstPiece(range, column + 1))
    let low = 255
    for (let piece = first; piece < end; piece++) if (copies[piece]! < low) low = copies[piece]!
    least[column] = low
  }
  return least
}
