// The paper's two figures, drawn from the runs of bench/paper.ts: completion time and speed-up over the number of
// peers.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { init } from 'echarts/dist/echarts.esm.mjs'
import type { RenderApi } from 'echarts/dist/echarts.esm.mjs'
import { expectedRounds } from './expected.ts'
import { idealSeconds } from './paper-run.ts'
import type { Run } from './paper-run.ts'
import { cellsOf, groupBy, settingOf, spread } from './paper-table.ts'

const WIDTH = 1080
const HEIGHT = 440
const PANEL = { left: 70, top: 110, gap: 50, bottom: 60 }
const COLOURS = { ideal: '#888888', expected: '#d9822b', measured: '#1f6fb4' }
const CAP = 7
const MEASURED = 'measured (mean, least and most)'

type Option = Record<string, unknown>

interface Figure { file: string, title: string, unit: string, value: (run: Run, rounds: number) => number }

/** Draws both figures; the runs are of one setting. */
export function draw (runs: Run[]): void {
  if (runs.length === 0) throw new Error('no runs to draw; measure some with --write')
  const setting = settingOf(runs[0]!)
  render(runs, {
    file: 'paper-time.svg', title: `Completion time, ${setting}`, unit: 'seconds', value: (_, seconds) => seconds
  })
  render(runs, {
    file: 'paper-speedup.svg',
    title: `Speed-up over one peer, ${setting}`,
    unit: 'times',
    value: (run, seconds) => (run.pieces * run.seconds) / seconds
  })
}

function render (runs: Run[], figure: Figure): void {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT })
  chart.setOption(optionsOf(runs, figure))
  writeFileSync(join(import.meta.dirname, figure.file), `${chart.renderToSVGString()}\n`)
  chart.dispose()
}

function optionsOf (runs: Run[], { title, unit, value }: Figure): Option {
  const panels = groupBy(runs, ({ pieces }) => String(pieces))
  const width = (WIDTH - PANEL.left - PANEL.gap * panels.length) / panels.length
  const left = (index: number): number => PANEL.left + index * (width + PANEL.gap)
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: [
      { text: title, left: 'center', top: 12, textStyle: { fontSize: 18 } },
      ...panels.map(([pieces], index) => ({
        text: `${pieces} pieces`,
        left: left(index) + width / 2,
        top: PANEL.top - 34,
        textAlign: 'center',
        textStyle: { fontSize: 14 }
      }))
    ],
    legend: { top: 44, itemGap: 40, itemWidth: 36, data: ['ideal', 'expected at random', MEASURED] },
    grid: panels.map((_, index) => ({ left: left(index), width, top: PANEL.top, bottom: PANEL.bottom })),
    xAxis: panels.map(([, each], gridIndex) => ({
      gridIndex,
      type: 'category',
      name: 'peers',
      nameLocation: 'middle',
      nameGap: 28,
      data: cellsOf(each).map(([run]) => String(run!.peers))
    })),
    yAxis: panels.map((_, gridIndex) => ({ gridIndex, type: 'value', min: 0, ...(gridIndex === 0 && { name: unit }) })),
    series: panels.flatMap(([, each], index) => seriesOf(cellsOf(each), index, value))
  }
}

function seriesOf (cells: Run[][], index: number, value: Figure['value']): Option[] {
  const axes = { xAxisIndex: index, yAxisIndex: index }
  const rounds = (count: (run: Run) => number): number[] => cells.map(([run]) => value(run!, count(run!)))
  const spreads = cells.map(runs => spread(runs, run => value(run, run.first)))
  const line = (name: string, color: string, type: 'solid' | 'dashed', data: number[]): Option => ({
    ...axes,
    name,
    type: 'line',
    data,
    itemStyle: { color },
    lineStyle: { color, type, width: 2 },
    symbol: 'circle',
    symbolSize: type === 'solid' ? 8 : 5
  })
  return [
    line('ideal', COLOURS.ideal, 'dashed', rounds(idealSeconds)),
    line(
      'expected at random',
      COLOURS.expected,
      'dashed',
      rounds(run => expectedRounds(run.pieces, run.peers) * run.seconds)
    ),
    line(
      MEASURED, COLOURS.measured, 'solid', spreads.map(({ mean }) => mean)
    ),
    {
      ...axes,
      name: MEASURED,
      type: 'custom',
      renderItem: whisker,
      data: spreads.map(({ min, max }, at) => [at, min, max]),
      z: 5
    }
  ]
}

/** A bar from the least to the most, with caps. */
function whisker (_: unknown, api: RenderApi): Option {
  const [x, low] = api.coord([api.value(0), api.value(1)])
  const [, high] = api.coord([api.value(0), api.value(2)])
  const style = { stroke: COLOURS.measured, lineWidth: 1.5 }
  const bar = (x1: number, y1: number, x2: number, y2: number): Option => ({
    type: 'line', shape: { x1, y1, x2, y2 }, style
  })
  return {
    type: 'group', children: [bar(x, low, x, high), bar(x - CAP, low, x + CAP, low), bar(x - CAP, high, x + CAP, high)]
  }
}
