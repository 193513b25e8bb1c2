/**
 * The map: one cell a piece. A slider for assistive technology: arrow keys move from piece to piece, and its value is
 * the piece in words.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Canvas, isDark, palette, scaleNow } from './canvas.tsx'
import type { Drawing } from './canvas.tsx'
import { formatCount } from './format.ts'
import { CELLS, gridOf, pieceAt, placeOf, step } from './grid.ts'
import type { Grid } from './grid.ts'
import { paintCells } from './paint.ts'
import { LOOKS, stateName } from './states.ts'
import { selected, statesNow, statesVersion, task } from './store.ts'

const MOST_HEIGHT = 420
const ZOOMS = [1, 2, 4, 8, 16]

function wordsOf (piece: number): string {
  const file = task.value?.files.find(({ first, pieces }) => piece >= first && piece < first + pieces)
  const of = task.value !== null && task.value.files.length > 1 && file !== undefined ? `, ${file.path}` : ''
  return `Piece ${formatCount(piece)}: ${LOOKS[stateName(statesNow()[piece] ?? 0)].words}${of}`
}

export function PieceMap ({ pieces }: { pieces: number }): JSX.Element {
  const view = useRef<HTMLDivElement>(null)
  const width = useSignal(0)
  const top = useSignal(0)
  const zoom = useSignal(1)
  const pointed = useSignal<number | null>(null)
  const scale = scaleNow()
  const grid: Grid = gridOf(pieces, Math.max(1, width.value * scale), MOST_HEIGHT * scale, scale, zoom.value)
  const whole = Math.ceil(grid.rows * grid.cell / scale)
  const height = Math.min(whole, MOST_HEIGHT)
  const current = selected.value ?? 0
  const named = pointed.value ?? selected.value
  void statesVersion.value

  useEffect(() => {
    const element = view.current!
    const size = new ResizeObserver(() => { width.value = element.clientWidth })
    size.observe(element)
    return () => { size.disconnect() }
  }, [])
  useEffect(() => {
    const place = placeOf(grid, current).y / scale
    const side = grid.cell / scale
    const element = view.current!
    if (place < element.scrollTop) element.scrollTop = place
    else if (place + side > element.scrollTop + height) element.scrollTop = place + side - height
  }, [current, zoom.value, width.value])

  const drawing: Drawing = {
    reads: () => 0,
    draw: surface => {
      if (statesNow().length < pieces) return null
      const from = Math.round(top.value * scale)
      paintCells(surface, grid, statesNow(), from, palette())
      const { value: chosen } = selected
      if (chosen === null) return null
      return context => {
        const { x, y } = placeOf(grid, chosen)
        const side = Math.max(grid.cell - grid.gap, 5 * scale)
        context.lineWidth = 2 * scale
        context.strokeStyle = isDark() ? '#ffffff' : '#0b0f14'
        context.strokeRect(x - scale / 2, y - from - scale / 2, side + scale, side + scale)
      }
    }
  }
  const at = (event: MouseEvent): number | null => {
    const { left, top: edge } = view.current!.getBoundingClientRect()
    return pieceAt(grid, (event.clientX - left) * scale, (event.clientY - edge + view.current!.scrollTop) * scale)
  }
  const press = (event: KeyboardEvent): void => {
    const there = step(grid, current, event.key, Math.max(1, Math.floor(height * scale / grid.cell) - 1))
    if (there === null) return
    event.preventDefault()
    pointed.value = null
    selected.value = there
  }
  return (
    <div class="map">
      <div class="tools">
        <label>Piece <input type="number" min={0} max={pieces - 1} value={current}
          onChange={({ currentTarget: { valueAsNumber: to } }) => {
            if (to >= 0 && to < pieces) selected.value = Math.floor(to)
          }} /></label>
        {pieces > CELLS
          ? <label>Zoom <select value={zoom.value}
              onChange={({ currentTarget }) => { zoom.value = Number(currentTarget.value) }}>
              {ZOOMS.map(each => <option key={each} value={each}>× {each}</option>)}
            </select></label>
          : null}
        <span class="named" aria-hidden="true"><bdi>{named === null ? 'Point at a piece, or use the arrow keys.' : wordsOf(named)}</bdi></span>
      </div>
      <div ref={view} class="view" style={{ height: `${height}px` }} tabIndex={0} role="slider" aria-label="Map of pieces"
        aria-valuemin={0} aria-valuemax={pieces - 1} aria-valuenow={current} aria-valuetext={wordsOf(current)}
        onKeyDown={press} onScroll={({ currentTarget }) => { top.value = currentTarget.scrollTop }}
        onClick={event => { selected.value = at(event) ?? selected.value }}
        onPointerMove={event => { pointed.value = at(event) }} onPointerLeave={() => { pointed.value = null }}>
        <div class="whole" style={{ height: `${whole}px` }}>
          <div class="window" style={{ height: `${height}px` }}>
            <Canvas class="fill" drawing={drawing} on={[statesVersion, selected]}
              now={[top.value, zoom.value, width.value, selected.value]} />
          </div>
        </div>
      </div>
    </div>
  )
}
