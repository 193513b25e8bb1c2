/**
 * The piece bar: one column a device pixel, each the mix of its pieces; the copies below; the legend, which says the
 * same in numbers.
 */
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Canvas, colour, palette } from './canvas.tsx'
import type { Drawing } from './canvas.tsx'
import { fold, foldLeast } from './fold.ts'
import { formatCount } from './format.ts'
import { paintColumns, paintCopies } from './paint.ts'
import type { Surface } from './paint.ts'
import { LOOKS, ORDER, stateName } from './states.ts'
import { copiesNow, copiesVersion, counts, isMapOpen, selected, statesNow, statesVersion } from './store.ts'

/** Pieces `from` to `to` (exclusive). A click opens the map at the piece; the keyboard has a button for that. */
export function PieceBar ({ from, to, isSmall = false }: { from: number, to: number, isSmall?: boolean }): JSX.Element {
  const drawing: Drawing = {
    reads: () => to - from,
    draw: surface => {
      if (statesNow().length >= to) paintColumns(surface, fold(statesNow(), from, to, surface.width), palette())
      return null
    }
  }
  const open = (event: MouseEvent): void => {
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const share = Math.min(0.999999, Math.max(0, (event.clientX - left) / width))
    selected.value = from + Math.floor(share * (to - from))
    isMapOpen.value = true
  }
  return (
    <div class={isSmall ? 'bar small' : 'bar'} onClick={open}>
      <Canvas class="fill" drawing={drawing} on={[statesVersion]} now={[from, to]} />
    </div>
  )
}

/** How many copies there are of the rarest piece in each column. */
export function CopiesBar ({ from, to }: { from: number, to: number }): JSX.Element {
  const drawing: Drawing = {
    reads: () => to - from,
    draw: surface => {
      if (copiesNow().length < to) return null
      const least = foldLeast(copiesNow(), from, to, surface.width)
      paintCopies(surface, least, colour('#5b6b7d', '#8d9cae'), colour('#eceff3', '#20272f'))
      return null
    }
  }
  return <div class="copies"><Canvas class="fill" drawing={drawing} on={[copiesVersion]} now={[from, to]} /></div>
}

/** The colour and hatch of a state. */
export function Swatch ({ code }: { code: number }): JSX.Element {
  const drawing: Drawing = useMemo(() => ({
    reads: () => 1,
    draw: (surface: Surface) => {
      paintColumns(surface, fold(Uint8Array.of(code), 0, 1, surface.width), palette())
      return null
    }
  }), [code])
  return <span class="swatch"><Canvas class="fill" drawing={drawing} on={[]} now={[code]} /></span>
}

/** The states that there are, with their numbers. */
export function Legend (): JSX.Element {
  const codes = ORDER.filter(code => counts.value[code]! > 0)
  return (
    <ul class="legend" aria-label="Pieces by state">
      {codes.map(code => (
        <li key={code}>
          <Swatch code={code} /><b>{formatCount(counts.value[code]!)}</b> {LOOKS[stateName(code)].words}
        </li>
      ))}
    </ul>
  )
}
