/**
 * Where a piece is on the map: row by row, one cell a piece. Up to 10 000 pieces the cells are as large as fits, above
 * that one device pixel, which the zoom makes larger. All lengths are in device pixels. Pure.
 */

/** Up to so many pieces all of the map fits without scrolling. */
export const CELLS = 10_000
const LARGEST_CELL = 36
const SMALLEST_CELL = 4

export interface Grid {
  pieces: number
  perRow: number
  rows: number
  /** side of a cell, with its gap */
  cell: number
  gap: number
}

/** `scale`: device pixels of a CSS pixel; `zoom`: 1, 2, 4 … */
export function gridOf (pieces: number, width: number, height: number, scale: number, zoom: number): Grid {
  const cell = zoom * (pieces > CELLS ? 1 : fitting(pieces, width, height, scale))
  const perRow = Math.max(1, Math.floor(width / cell))
  const gap = cell >= 6 * scale ? Math.round(scale) : cell >= 4 ? 1 : 0
  return { pieces, perRow, rows: Math.ceil(pieces / perRow), cell, gap }
}

function fitting (pieces: number, width: number, height: number, scale: number): number {
  for (let cell = Math.round(LARGEST_CELL * scale); cell > SMALLEST_CELL; cell--) {
    const perRow = Math.floor(width / cell)
    if (perRow > 0 && Math.ceil(pieces / perRow) * cell <= height) return cell
  }
  return SMALLEST_CELL
}

/** The piece at a point of the whole map; null beside the cells. */
export function pieceAt ({ perRow, cell, pieces }: Grid, x: number, y: number): number | null {
  const column = Math.floor(x / cell)
  if (x < 0 || y < 0 || column >= perRow) return null
  const piece = Math.floor(y / cell) * perRow + column
  return piece < pieces ? piece : null
}

/** Top left corner of a piece's cell. */
export function placeOf ({ perRow, cell }: Grid, piece: number): { x: number, y: number } {
  return { x: piece % perRow * cell, y: Math.floor(piece / perRow) * cell }
}

/** Where a key leads from a piece; null: the key is none of the map's. `page`: rows that are visible. */
export function step ({ perRow, pieces }: Grid, piece: number, key: string, page: number): number | null {
  const by: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -perRow,
    ArrowDown: perRow,
    PageUp: -perRow * page,
    PageDown: perRow * page,
    Home: -piece,
    End: pieces - 1 - piece
  }
  const far = by[key]
  if (far === undefined) return null
  const there = piece + far
  if (there >= 0 && there < pieces) return there
  return Math.abs(far) > perRow ? Math.max(0, Math.min(pieces - 1, there)) : piece
}
