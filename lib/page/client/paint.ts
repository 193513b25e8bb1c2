/**
 * Paints pieces into pixels: a bar of columns, a map of cells. Pure: the pixels are those of an ImageData, or an array.
 * The work is bounded by the pixels, however many pieces there are.
 */
import type { Columns } from './fold.ts'
import type { Grid } from './grid.ts'
import { KINDS, LOOKS, ORDER, stateName } from './states.ts'
import type { Hatch } from './states.ts'

/** Colours by code, as pixels have them: alpha, blue, green, red. */
export interface Palette { ground: Uint32Array, ink: Uint32Array, hatch: Hatch[] }

/** Device pixels, row by row. */
export interface Surface { pixels: Uint32Array, width: number, height: number }

/** `#rrggbb` as a pixel. */
export function pixelOf (colour: string): number {
  const rgb = Number.parseInt(colour.slice(1), 16)
  return (0xff000000 | (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16) >>> 0
}

export function paletteOf (theme: 'light' | 'dark'): Palette {
  const looks = Array.from({ length: KINDS }, (_, code) => LOOKS[stateName(code)])
  return {
    ground: Uint32Array.from(looks, look => pixelOf(look[theme][0])),
    ink: Uint32Array.from(looks, look => pixelOf(look[theme][1] || look[theme][0])),
    hatch: looks.map(look => look.hatch)
  }
}

/** Whether a pixel belongs to the hatch; `scale`: device pixels of a CSS pixel. */
function isInk (hatch: Hatch, x: number, y: number, scale: number): boolean {
  if (hatch === 'none') return false
  const [column, row] = [Math.floor(x / scale), Math.floor(y / scale)]
  if (hatch === 'dots') return column % 3 === 0 && row % 3 === 0
  if (hatch === 'stripes') return (column + row) % 5 < 2
  return (column + row) % 5 === 0 || (column - row + 1_000_000) % 5 === 0
}

type Box = readonly [left: number, top: number, right: number, bottom: number]

function fill (
  { pixels, width, height }: Surface, palette: Palette, code: number, [left, top, right, bottom]: Box, scale: number
): void {
  const hatch = palette.hatch[code]!
  const [ground, ink] = [palette.ground[code]!, palette.ink[code]!]
  for (let y = Math.max(0, top); y < Math.min(bottom, height); y++) {
    if (hatch === 'none') {
      pixels.fill(ground, y * width + left, y * width + right)
    } else {
      for (let x = left; x < right; x++) pixels[y * width + x] = isInk(hatch, x, y, scale) ? ink : ground
    }
  }
}

/** The heights of a column's states in the order of the legend. What is there is visible, however rare. */
export function heights (counts: ArrayLike<number>, at: number, height: number): number[] {
  const wanted = ORDER.map(code => counts[at + code]!)
  const total = wanted.reduce((sum, count) => sum + count, 0)
  const least = Math.max(1, Math.floor(height / 10))
  const exact = wanted.map(count => count === 0 ? 0 : Math.max(least, Math.round(count / total * height)))
  const spare = height - exact.reduce((sum, part) => sum + part, 0)
  const largest = exact.indexOf(Math.max(...exact))
  return exact.map((part, i) => i === largest ? part + spare : part)
}

/** Each column the mix of its states. */
export function paintColumns (surface: Surface, { columns, counts }: Columns, palette: Palette, scale: number): void {
  for (let x = 0; x < columns; x++) {
    let bottom = surface.height
    for (const [i, part] of heights(counts, x * KINDS, surface.height).entries()) {
      if (part > 0) fill(surface, palette, ORDER[i]!, [x, bottom - part, x + 1, bottom], scale)
      bottom -= part
    }
  }
}

/** The part of the map from `top` on; what is no piece stays as it is. */
export function paintCells (
  surface: Surface, grid: Grid, states: Uint8Array, top: number, palette: Palette, scale: number
): void {
  const { perRow, cell, gap, pieces } = grid
  const { pixels, width, height } = surface
  const [first, last] = [Math.floor(top / cell), Math.ceil((top + height) / cell)]
  for (let row = first; row < last; row++) {
    const end = Math.min(perRow, pieces - row * perRow)
    for (let column = 0; column < end; column++) {
      const code = states[row * perRow + column]!
      const [x, y] = [column * cell, row * cell - top]
      if (cell === 1) pixels[y * width + x] = palette.ground[code]!
      else fill(surface, palette, code, [x, y, x + cell - gap, y + cell - gap], scale)
    }
  }
}

/** The least copies of each column as a line: the more, the higher. */
export function paintCopies (surface: Surface, least: Uint8Array, colour: number, faint: number): void {
  const { pixels, width, height } = surface
  for (let x = 0; x < least.length; x++) {
    const high = Math.round(Math.min(least[x]!, FULL_COPIES) / FULL_COPIES * height)
    for (let y = 0; y < height; y++) pixels[y * width + x] = y >= height - high ? colour : faint
  }
}

/** So many copies are a full line: as good as safe. */
const FULL_COPIES = 5
