// What the page paints: a fold reads each piece once, and what is painted is bounded by the pixels.
import fc from 'fast-check'
import test from 'tape'
import { fold, foldLeast } from '../../lib/page/client/fold.ts'
import { gridOf, pieceAt, placeOf, step } from '../../lib/page/client/grid.ts'
import { heights, paintCells, paintColumns, paletteOf } from '../../lib/page/client/paint.ts'
import { KINDS, LOOKS, ORDER } from '../../lib/page/client/states.ts'
import { PIECE_STATES } from '../../lib/page/piece-states.ts'

const MILLION = 1_000_000
const palette = paletteOf('light', 1)
const code = (name: typeof PIECE_STATES[number]): number => PIECE_STATES.indexOf(name)
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0)

const light = (pixel: number): number =>
  0.299 * (pixel & 255) + 0.587 * (pixel >> 8 & 255) + 0.114 * (pixel >> 16 & 255)

const hatchOf = (state: number): string => LOOKS[PIECE_STATES[state]!].hatch

/** An array that counts how often one of its elements is read. */
function counting (length: number): { states: Uint8Array, reads: () => number } {
  let reads = 0
  const states = new Proxy(new Uint8Array(length), {
    get (target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads++
      return Reflect.get(target, key) as unknown
    }
  })
  return { states, reads: () => reads }
}

test('each piece is in one column, if there are more pieces than columns', t => {
  const [many, wide] = [fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 400 })]
  fc.assert(fc.property(fc.nat({ max: 300 }), many, wide, (from, pieces, columns) => {
    const states = Uint8Array.from({ length: from + pieces }, (_, piece) => piece % KINDS)
    const { counts } = fold(states, from, from + pieces, columns)
    const perColumn = Array.from({ length: columns }, (_, c) => sum(counts.subarray(c * KINDS, (c + 1) * KINDS)))
    if (perColumn.includes(0)) return false
    return pieces < columns || sum(perColumn) === pieces
  }))
  t.pass('by property')
  t.end()
})

test('with fewer pieces than columns, columns show one piece each', t => {
  const { counts } = fold(Uint8Array.of(code('own'), code('failed')), 0, 2, 4)
  t.deepEqual([0, 1, 2, 3].map(c => counts.subarray(c * KINDS, (c + 1) * KINDS).indexOf(1)), [code('own'), code('own'), code('failed'), code('failed')])
  t.deepEqual(sum(fold(new Uint8Array(), 0, 0, 4).counts), 0, 'no pieces')
  t.end()
})

test('a fold of a million pieces reads each once, whatever the width', t => {
  const { states, reads } = counting(20_000)
  fold(states, 0, 20_000, 1200)
  t.equal(reads(), 20_000)
  t.equal(sum(fold(new Uint8Array(MILLION), 0, MILLION, 1200).counts), MILLION)
  t.end()
})

test('what is rare is visible in a column', t => {
  const counts = new Uint32Array(KINDS)
  counts[code('own')] = 9999
  counts[code('failed')] = 1
  const parts = ORDER.map(() => 0)
  heights(counts, 0, 40, parts)
  t.equal(parts[ORDER.indexOf(code('failed'))], 4)
  t.equal(sum(parts), 40)
  t.end()
})

test('copies: the rarest piece of a column counts', t => {
  t.deepEqual([...foldLeast(Uint8Array.of(3, 1, 0, 5), 0, 4, 2)], [1, 0])
  t.end()
})

test('a bar paints all of its pixels, with hatches in two colours', t => {
  const surface = { pixels: new Uint32Array(60 * 20), width: 60, height: 20 }
  for (const name of PIECE_STATES) {
    surface.pixels.fill(0)
    paintColumns(surface, fold(Uint8Array.of(code(name)), 0, 1, 60), palette)
    const colours = new Set(surface.pixels)
    t.notOk(colours.has(0), `${name}: nothing is left out`)
    t.equal(colours.size, LOOKS[name].hatch === 'none' ? 1 : 2)
  }
  t.end()
})

test('states that can stand side by side differ in brightness or hatch', t => {
  for (const theme of ['light', 'dark'] as const) {
    const { ground } = paletteOf(theme, 1)
    // stored and accepted are the same in policies that exclude each other
    const codes = ORDER.filter(each => each !== code('stored'))
    const alike = (a: number, b: number): boolean =>
      hatchOf(a) === hatchOf(b) && Math.abs(light(ground[a]!) - light(ground[b]!)) < 15
    const pairs = codes.flatMap(a => codes.filter(b => a < b && alike(a, b)).map(b => [a, b]))
    const same = pairs.map(pair => pair.map(each => PIECE_STATES[each]))
    t.deepEqual(same, [], theme)
  }
  t.end()
})

test('the map: one cell a piece up to 10 000, all of them in view; above that one pixel', t => {
  for (const pieces of [1, 10, 100, 3333, 10_000]) {
    const { rows, cell } = gridOf(pieces, 1000, 420, 1, 1)
    t.ok(rows * cell <= 420 && cell >= 4, `${pieces} pieces: cells of ${cell}`)
  }
  t.deepEqual(gridOf(MILLION, 1000, 420, 1, 1), { pieces: MILLION, perRow: 1000, rows: 1000, cell: 1, gap: 0 })
  t.equal(gridOf(MILLION, 1000, 420, 1, 8).cell, 8, 'zoomed')
  t.end()
})

test('the map: a point and its piece', t => {
  const [many, wide] = [fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 40, max: 1500 })]
  fc.assert(fc.property(many, wide, fc.nat(), (pieces, width, some) => {
    const grid = gridOf(pieces, width, 420, 1, 1)
    const piece = some % pieces
    const { x, y } = placeOf(grid, piece)
    return pieceAt(grid, x, y) === piece
  }))
  const grid = gridOf(10, 1000, 420, 1, 1)
  t.equal(pieceAt(grid, -1, 0), null)
  t.equal(pieceAt(grid, 999, 0), null, 'beside the last')
  t.end()
})

test('the map: keys', t => {
  const grid = { pieces: 95, perRow: 10, rows: 10, cell: 10, gap: 1 }
  const keys = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageDown', 'a']
  t.deepEqual(keys.map(key => step(grid, 12, key, 5)), [11, 13, 2, 22, 0, 94, 62, null])
  const edges = [[0, 'ArrowLeft'], [94, 'ArrowRight'], [3, 'ArrowUp'], [90, 'PageDown']] as const
  t.deepEqual(edges.map(([piece, key]) => step(grid, piece, key, 5)), [0, 94, 3, 94], 'at the edges')
  t.end()
})

test('the map of a million pieces reads no more of them than it has pixels', t => {
  for (const zoom of [1, 2, 16]) {
    const { states, reads } = counting(MILLION)
    const [width, height] = [600, 200]
    const grid = gridOf(MILLION, width, height, 1, zoom)
    paintCells({ pixels: new Uint32Array(width * height), width, height }, grid, states, 500, palette)
    t.ok(reads() > 0 && reads() <= width * (height + zoom) / zoom / zoom + grid.perRow, `zoom ${zoom}: ${reads()} reads`)
  }
  t.end()
})
