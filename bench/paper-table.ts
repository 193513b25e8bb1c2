// The runs of bench/paper.ts: kept in bench/paper.json, shown as tables in bench/README.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectedRounds } from './expected.ts'
import { idealSeconds } from './paper-run.ts'
import type { Cell, Run } from './paper-run.ts'

const RUNS = join(import.meta.dirname, 'paper.json')
const README = join(import.meta.dirname, 'README.md')
const TABLES = /(?<=<!-- paper -->\n).*(?=<!-- \/paper -->)/s
const FULL_SECONDS = 64 * 60

/** All runs that were kept. */
export function readRuns (): Run[] {
  return existsSync(RUNS) ? JSON.parse(readFileSync(RUNS, 'utf8')) as Run[] : []
}

/** Keeps these runs, one a line. */
export function writeRuns (runs: Run[]): void {
  writeFileSync(RUNS, `[\n${runs.map(run => JSON.stringify(run)).join(',\n')}\n]\n`)
}

/** What a cell's pieces are like: cells of the same setting are comparable. */
export function settingOf ({ pieces, seconds, bytes }: Cell): string {
  if (pieces * seconds === FULL_SECONDS) return '64 minutes of work and 64 MB in all'
  return `${seconds} s and ${bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes / 1e6} MB`} a piece`
}

export function isSameCell (a: Cell, b: Cell): boolean {
  return a.peers === b.peers && a.pieces === b.pieces && a.seconds === b.seconds && a.bytes === b.bytes
}

/** The runs with each key. */
export function groupBy (runs: Run[], key: (run: Run) => string): Array<[key: string, runs: Run[]]> {
  const groups = new Map<string, Run[]>()
  for (const run of runs) groups.set(key(run), [...groups.get(key(run)) ?? [], run])
  return [...groups]
}

/** The runs of each cell (of one setting), by pieces, then peers. */
export function cellsOf (runs: Run[]): Run[][] {
  const cells = groupBy(runs, ({ peers, pieces }) => `${peers}x${pieces}`).map(([, each]) => each)
  return cells.sort(([a], [b]) => a!.pieces - b!.pieces || a!.peers - b!.peers)
}

/** Mean, least and most of the runs. */
export function spread (runs: Run[], value: (run: Run) => number): { mean: number, min: number, max: number } {
  const values = runs.map(value)
  return { mean: values.reduce((a, b) => a + b, 0) / values.length, min: Math.min(...values), max: Math.max(...values) }
}

/** Writes the tables between the markers of bench/README.md, one for each setting. */
export function writeTables (runs: Run[]): void {
  const settings = groupBy(runs, settingOf)
  const text = readFileSync(README, 'utf8')
  if (!TABLES.test(text)) throw new Error('bench/README.md has lost its markers <!-- paper --> and <!-- /paper -->')
  const tables = settings.map(([setting, each]) => `\n${setting}:\n\n${table(each)}\n`).join('')
  writeFileSync(README, text.replace(TABLES, () => `${tables}\n`))
}

function table (runs: Run[]): string {
  return [
    '| pieces | peers | runs | ideal | expected at random | first peer done | × ideal | last peer done | items started / finished / aborted | wasted |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...cellsOf(runs).map(row)
  ].join('\n')
}

function row (runs: Run[]): string {
  const [cell] = runs as [Run]
  const ideal = idealSeconds(cell)
  const mean = (value: (run: Run) => number): number => spread(runs, value).mean
  const first = spread(runs, run => run.first)
  return `| ${[
    cell.pieces,
    cell.peers,
    runs.length,
    inSeconds(ideal),
    inSeconds(expectedRounds(cell.pieces, cell.peers) * cell.seconds),
    `${inSeconds(first.mean)} (${first.min.toFixed(2)}–${first.max.toFixed(2)})`,
    (first.mean / ideal).toFixed(3),
    inSeconds(mean(run => run.last)),
    [mean(run => run.started), mean(run => run.finished), mean(run => run.aborted)]
      .map(count => count.toFixed(1))
      .join(' / '),
    `${(100 * mean(run => run.wasted / run.computing)).toFixed(1)} %`
  ].join(' | ')} |`
}

function inSeconds (value: number): string {
  return `${value.toFixed(2)} s`
}
