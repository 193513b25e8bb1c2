/** Many runs of one swarm as one cell or one line. */
import type { Outcome } from './swarm.ts'

/** Means over the runs; `wrongRange`: least and most of them. */
export interface Summary extends Omit<Outcome, 'seed' | 'sample' | 'wrongOfFirst'> { runs: number, wrongRange: [number, number] }

export function summarise (outcomes: Outcome[]): Summary {
  const wrongs = outcomes.map(({ wrong }) => wrong)
  const mean = (of: Exclude<keyof Outcome, 'seed' | 'sample' | 'wrongOfFirst'>): number =>
    outcomes.reduce((sum, outcome) => sum + outcome[of], 0) / outcomes.length
  return {
    runs: outcomes.length,
    wrong: mean('wrong'),
    wrongRange: [Math.min(...wrongs), Math.max(...wrongs)],
    wrongByCost: mean('wrongByCost'),
    worst: mean('worst'),
    open: mean('open'),
    work: mean('work'),
    time: mean('time'),
    level: mean('level'),
    drawn: mean('drawn'),
    drawnWrong: mean('drawnWrong'),
    banned: mean('banned'),
    keys: mean('keys'),
    lied: mean('lied')
  }
}

/** `0.90 1.29 o4`: % wrong, work, % open. */
export function cell ({ wrong, work, open }: Summary): string {
  return `${percent(wrong)} ${work.toFixed(2)}${open > 0.005 ? ` o${(100 * open).toFixed(0)}` : ''}`
}

/** All figures, for one line. */
export function details (summary: Summary): string {
  const { wrong, wrongRange: [least, most], wrongByCost, worst, work, time, level, open, drawn, drawnWrong } = summary
  return [
    `wrong ${percent(wrong)} % (${percent(least)}–${percent(most)}; by work ${percent(wrongByCost)}, ` +
      `worst reader ${percent(worst)})`,
    `work ${work.toFixed(2)}`,
    `time ${time.toFixed(2)}`,
    `level ${level.toFixed(1)}`,
    `lots ${percent(drawn === 0 ? 0 : drawnWrong / drawn)} % wrong`,
    `open ${percent(open)} %`,
    `honest banned ${summary.banned.toFixed(1)}`
  ].join('  ')
}

function percent (share: number): string { return (100 * share).toFixed(2) }
