/** Many runs of one swarm as one line of a table. */
import { expectedRounds } from '../expected.ts'
import type { Cell } from './presets.ts'
import type { Outcome } from './swarm.ts'

/** Mean and extremes. */
export interface Spread { mean: number, min: number, max: number }

/** One line: what `--json` prints. */
export interface Line {
  label: string
  runs: number
  firstSeed: number
  /** seconds */
  ideal: number
  /** until the first peer, and the last, had every piece; as a multiple of the ideal time */
  first: Spread
  last: Spread
  /** work items killed or done twice, and those of peers that died, in percent of all computing time */
  wastePercent: Spread
  lostPercent: number
  /** work items that were started */
  itemsPerPiece: Spread
  claimsPerPiece: number
  relaysPerPiece: number
  messagesPerPiece: number
  bytesPerPiece: number
  /** E(n, m) as a multiple of n / m, or the makespan as a multiple of that without squatters */
  compared: number | null
  /** seconds that the simulation took, and MiB */
  cpu: number
  memory: number
}

/** @param honest the outcomes of the same seeds without squatters, if that is what the cell compares with */
export function summarise ({ label, scenario, compare }: Cell, outcomes: Outcome[], honest: Outcome[]): Line {
  const perPiece = (count: (outcome: Outcome) => number): number => mean(outcomes.map(count)) / scenario.pieces
  return {
    label,
    runs: outcomes.length,
    firstSeed: outcomes[0]!.seed,
    ideal: mean(outcomes.map(({ idealMs }) => idealMs)) / 1000,
    first: spread(outcomes.map(({ firstMs, idealMs }) => firstMs / idealMs)),
    last: spread(outcomes.map(({ lastMs, idealMs }) => lastMs / idealMs)),
    wastePercent: spread(outcomes.map(({ tally }) => 100 * tally.wastedMs / tally.computedMs)),
    lostPercent: mean(outcomes.map(({ tally }) => 100 * tally.lostMs / tally.computedMs)),
    itemsPerPiece: spread(outcomes.map(({ tally }) => tally.started / scenario.pieces)),
    claimsPerPiece: perPiece(({ tally }) => tally.claims),
    relaysPerPiece: perPiece(({ tally }) => tally.relays),
    messagesPerPiece: perPiece(({ tally }) => tally.messages),
    bytesPerPiece: perPiece(({ tally }) => tally.messageBytes),
    compared: compared(),
    cpu: outcomes.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1000,
    memory: Math.max(...outcomes.map(({ rssBytes }) => rssBytes)) / 2 ** 20
  }

  function compared (): number | null {
    if (compare === 'expected') {
      return (expectedRounds(scenario.pieces, scenario.peers) * scenario.peers) / scenario.pieces
    }
    if (compare === 'honest') return mean(outcomes.map(({ firstMs }, i) => firstMs / honest[i]!.firstMs))
    return null
  }
}

/** The table's head, in Markdown. */
export const HEAD = [
  '| pieces/peers | runs | ideal | first complete / ideal | last / ideal | wasted | items | claims + relays | messages | bytes | E, or / honest | CPU | memory |',
  '|---|---|---|---|---|---|---|---|---|---|---|---|---|'
].join('\n')

/** One row of it. */
export function row (line: Line): string {
  const cells = [
    line.label,
    line.runs,
    `${line.ideal.toFixed(1)} s`,
    ratio(line.first),
    ratio(line.last),
    `${line.wastePercent.mean.toFixed(1)} %`,
    ratio(line.itemsPerPiece),
    `${line.claimsPerPiece.toFixed(0)} + ${line.relaysPerPiece.toFixed(0)}`,
    line.messagesPerPiece.toFixed(0),
    line.bytesPerPiece.toFixed(0),
    line.compared === null ? '' : line.compared.toFixed(3),
    `${line.cpu.toFixed(1)} s`,
    `${line.memory.toFixed(0)} MiB`
  ]
  return `| ${cells.join(' | ')} |`
}

function ratio ({ mean: average, min, max }: Spread): string {
  return `${average.toFixed(3)} (${min.toFixed(2)}–${max.toFixed(2)})`
}

function spread (values: number[]): Spread {
  return { mean: mean(values), min: Math.min(...values), max: Math.max(...values) }
}

function mean (values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
