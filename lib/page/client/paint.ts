/**
 * Paints pieces into pixels: a bar of columns, a map of cells. Pure: the pixels are those of an ImageData, or an array.
 * The work is bounded by the pixels, however many pieces there are.
 */
import type { Columns } from './fold.ts'
import type { Grid } from './grid.ts'
import { KINDS, LOOKS, ORDER, stateName } from './states.ts'
import type { Hatch } from './states.ts'

/** Colours by code, as pixels have them: alpha, blue, green, red. */
export interface Palette {
  ground: Uint32Array
  /** a hatch as a tile that repeats, `period` pixels wide and high; null: none */
  tiles: Array<Uint32Array | null>
  period: number
}

/** Device pixels, row by row. */
export interface Surface { pixels: Uint32Array, width: number, height: number }

/** CSS pixels after which each hatch repeats. */
const PERIOD = 15

/** `#rrggbb` as a pixel. */
export function pixelOf (colour: string): number {
  const rgb = Number.parseInt(colour.slice(1), 16)
  return (0xff000000 | (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16) >>> 0
}

/** `scale`: device pixels of a CSS pixel. */
export function paletteOf (theme: 'light' | 'dark', scale: number): Palette {
  const looks = Array.from({ length: KINDS }, (_, code) => LOOKS[stateName(code)])
  const period = PERIOD * scale
  return {
    ground: Uint32Array.from(looks, look => pixelOf(look[theme][0])),
    tiles: looks.map(({ hatch, [theme]: [ground, ink] }) => hatch === 'none'
      ? null
      : Uint32Array.from({ length: period * period }, (_, at) => {
          const [x, y] = [Math.floor(at % period / scale), Math.floor(at / period / scale)]
          return pixelOf(isInk(hatch, x, y) ? ink : ground)
        })),
    period
  }
}

function isInk (hatch: Hatch, x: number, y: number): boolean {
  if (hatch === 'dots') return x % 3 === 0 && y % 3 === 0
  if (hatch === 'stripes') return (x + y) % 5 < 2
  return (x + y) % 5 === 0 || (x - y + PERIOD) % 5 === 0
}

/** A rectangle of one state; what is above or below the surface is left out. */
function fill (
  { pixels, width, height }: Surface, { ground, tiles, period }: Palette, code: number,
  left: number, top: number, right: number, bottom: number
): void {
  const tile = tiles[code]
  const plain = ground[code]!
  for (let y = Math.max(0, top); y < bottom && y < height; y++) {
    const row = y * width
    const from = y % period * period
    if (tile == null) for (let x = left; x < right; x++) pixels[row + x] = plain
    else for (let x = left; x < right; x++) pixels[row + x] = tile[from + x % period]!
  }
}

/**
 * The heights of a column's states in the order of the legend, in `parts`. What is there is visible, however rare; the
 * most frequent state makes room for it.
 */
export function heights (counts: ArrayLike<number>, at: number, height: number, parts: number[]): void {
  let total = 0
  for (const code of ORDER) total += counts[at + code]!
  const least = Math.max(1, Math.floor(height / 10))
  let used = 0
  let largest = 0
  for (let i = 0; i < ORDER.length; i++) {
    const count = counts[at + ORDER[i]!]!
    parts[i] = count === 0 ? 0 : Math.max(least, Math.round(count / total * height))
    used += parts[i]!
    if (parts[i]! > parts[largest]!) largest = i
  }
  parts[largest]! += height - used
}

/** Each column the mix of its states. */
export function paintColumns (surface: Surface, { columns, counts }: Columns, palette: Palette): void {
  const parts = ORDER.map(() => 0)
  for (let x = 0; x < columns; x++) {
    let bottom = surface.height
    heights(counts, x * KINDS, surface.height, parts)
    for (let i = 0; i < parts.length; i++) {
      if (parts[i]! > 0) fill(surface, palette, ORDER[i]!, x, bottom - parts[i]!, x + 1, bottom)
      bottom -= parts[i]!
    }
  }
}

/** The part of the map from `top` on; what is no piece stays as it is. */
export function paintCells (surface: Surface, grid: Grid, states: Uint8Array, top: number, palette: Palette): void {
  const { perRow, cell, gap, pieces } = grid
  const { pixels, width, height } = surface
  const [first, last] = [Math.floor(top / cell), Math.ceil((top + height) / cell)]
  for (let row = first; row < last; row++) {
    const from = row * perRow
    const end = Math.min(perRow, pieces - from)
    const y = row * cell - top
    if (cell === 1) {
      for (let x = 0; x < end; x++) pixels[y * width + x] = palette.ground[states[from + x]!]!
    } else {
      for (let column = 0; column < end; column++) {
        const x = column * cell
        fill(surface, palette, states[from + column]!, x, y, x + cell - gap, y + cell - gap)
      }
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
