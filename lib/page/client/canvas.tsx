/**
 * Canvases that are painted by hand: sized in device pixels, painted in frames, in the colours of the theme.
 */
import { signal } from '@preact/signals'
import type { ReadonlySignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Frames } from './frames.ts'
import type { Painter } from './frames.ts'
import { paletteOf, pixelOf } from './paint.ts'
import type { Palette, Surface } from './paint.ts'

/** Device pixels of a CSS pixel. */
export const scaleNow = (): number => Math.max(1, Math.round(devicePixelRatio))

let kept = { theme: '', scale: 0, palette: paletteOf('light', 1) }
const dark = matchMedia('(prefers-color-scheme: dark)')

export const theme = signal<'light' | 'dark'>(dark.matches ? 'dark' : 'light')
dark.addEventListener('change', () => { theme.value = dark.matches ? 'dark' : 'light' })

/** The colours of the theme, for the pixels of this screen. */
export function palette (): Palette {
  const scale = scaleNow()
  if (kept.theme !== theme.value || kept.scale !== scale) {
    kept = { theme: theme.value, scale, palette: paletteOf(theme.value, scale) }
  }
  return kept.palette
}
export const isDark = (): boolean => theme.value === 'dark'
export const colour = (light: string, night: string): number => pixelOf(isDark() ? night : light)

const frames = new Frames({
  request: run => { requestAnimationFrame(run) },
  now: () => performance.now(),
  later: (run, ms) => { setTimeout(run, ms) }
})

export interface Drawing {
  /** pieces that a painting reads; its pixels are added */
  reads: () => number
  /** on a surface that is empty, in device pixels; what the context draws comes on top */
  draw: (surface: Surface) => ((context: CanvasRenderingContext2D) => void) | null
}

/** `on`: painted again when one of these changes; `now`: at once. */
export function Canvas (
  { drawing, on, now = [], class: name }:
  { drawing: Drawing, on: ReadonlyArray<ReadonlySignal<unknown>>, now?: readonly unknown[], class: string }
): JSX.Element {
  const ref = useRef<HTMLCanvasElement>(null)
  const latest = useRef(drawing)
  latest.current = drawing
  const painter = useRef<Painter>(null)
  useEffect(() => {
    const canvas = ref.current!
    const mine: Painter = {
      work: () => canvas.width * canvas.height + latest.current.reads(),
      paint: () => { paint(canvas, latest.current) }
    }
    painter.current = mine
    const size = new ResizeObserver(() => {
      const scale = scaleNow()
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale))
      canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale))
      frames.want(mine, true)
    })
    size.observe(canvas)
    const stops = on.map(each => each.subscribe(() => { frames.want(mine) }))
    const stopTheme = theme.subscribe(() => { frames.want(mine, true) })
    return () => {
      size.disconnect()
      stopTheme()
      for (const stop of stops) stop()
      frames.drop(mine)
    }
  }, [])
  useEffect(() => { if (painter.current !== null) frames.want(painter.current, true) }, now)
  return <canvas ref={ref} class={name} aria-hidden="true" />
}

function paint (canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { width, height } = canvas
  const context = canvas.getContext('2d')!
  const image = context.createImageData(width, height)
  const surface = { pixels: new Uint32Array(image.data.buffer), width, height }
  const above = drawing.draw(surface)
  context.putImageData(image, 0, 0)
  above?.(context)
}
