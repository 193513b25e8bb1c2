/**
 * Pieces a minute, and bytes down and up, of the last hour.
 */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import type { AlignedData, Axis, Options } from 'uplot'
import { isDark, theme } from './canvas.tsx'
import { formatBytes, formatPieceRate } from './format.ts'
import { live, points } from './store.ts'
import { isNarrow, Section } from './text.tsx'

type Line = readonly [label: string, light: string, dark: string, dash: number[]]
interface Kind {
  lines: readonly Line[]
  values: (value: number) => string
  /** between two lines of the grid */
  steps: number[]
  data: () => AlignedData
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
const ORDERS = [0, 1, 2, 3]

const times = (): number[] => points.value.map(([at]) => at / 1000)
const PIECES: Kind = {
  lines: [['pieces a minute', '#1f7c68', '#5ccbad', []]],
  values: value => value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1),
  steps: ORDERS.flatMap(order => STEPS.map(step => step * 1000 ** order / 10)),
  data: () => [times(), points.value.map(point => point[1])]
}
const BYTES: Kind = {
  lines: [['down', '#2b6cb0', '#7fb2ee', []], ['up', '#a65a00', '#ffc453', [6, 4]]],
  values: value => value === 0 ? '0' : `${formatBytes(value)}/s`,
  steps: ORDERS.flatMap(order => STEPS.map(step => step * 1024 ** order)),
  data: () => [times(), points.value.map(point => point[2]), points.value.map(point => point[3])]
}
const HEIGHT = 170

function optionsOf ({ lines, values, steps }: Kind, width: number): Options {
  const [text, faint] = isDark() ? ['#9fb0c3', '#262f39'] : ['#51606f', '#e6eaef']
  const axis: Axis = { stroke: text, font: '12px system-ui', grid: { stroke: faint, width: 1 }, ticks: { show: false } }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.15 : 1] } },
    axes: [
      { ...axis, space: 70, values: (_, at) => at.map(each => new Date(each * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })) },
      { ...axis, size: 76, space: 34, incrs: steps, values: (_, at) => at.map(values) }
    ],
    series: [{}, ...lines.map(([label, light, night, dash]) => {
      const stroke = isDark() ? night : light
      return { label, stroke, width: 2, dash, points: { show: false }, ...lines.length === 1 && { fill: `${stroke}22` } }
    })]
  }
}

function Chart ({ kind }: { kind: Kind }): JSX.Element {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = ref.current!
    let plot = new uPlot(optionsOf(kind, element.clientWidth), kind.data(), element)
    const size = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height: HEIGHT })
    })
    size.observe(element)
    const stops = [points.subscribe(() => { plot.setData(kind.data()) }), theme.subscribe(() => {
      plot.destroy()
      plot = new uPlot(optionsOf(kind, element.clientWidth), kind.data(), element)
    })]
    return () => {
      for (const stop of stops) stop()
      size.disconnect()
      plot.destroy()
    }
  }, [])
  return <div ref={ref} class="chart" aria-hidden="true" />
}

export function Rates (): JSX.Element {
  const { piecesPerMinute, downloadSpeed, uploadSpeed } = live.value!
  return (
    <Section title="Rates" note="last hour" isFolded={isNarrow()}>
      <h3>{piecesPerMinute === null ? 'Pieces a minute' : formatPieceRate(piecesPerMinute)}</h3>
      <Chart kind={PIECES} />
      <h3><span class="down">↓ {formatBytes(downloadSpeed)}/s down</span> <span class="up">↑ {formatBytes(uploadSpeed)}/s up</span></h3>
      <Chart kind={BYTES} />
    </Section>
  )
}
