/** The swarms whose figures bench/README.md has. */
import { DEFAULTS, LOCK_STEP } from './scenario.ts'
import type { Scenario } from './scenario.ts'

/** One line of a table: the same swarm, several times. */
export interface Cell {
  label: string
  scenario: Scenario
  runs: number
  /** what the last column compares with: E(n, m), or the same swarm without squatters and liars */
  compare?: 'expected' | 'honest'
}

function cell (label: string, differences: Partial<Scenario>, runs: number, compare?: Cell['compare']): Cell {
  return { label, scenario: { ...DEFAULTS, ...differences }, runs, ...(compare !== undefined && { compare }) }
}

const LIES = ['silent', 'trickle', 'slow', 'reborn', 'bait', 'garbage', 'sizes'] as const
/** The paper's twelve swarms. */
const GRID = [64, 128, 192].flatMap(pieces => [4, 8, 12, 16].map(peers => ({ pieces, peers })))
/**
 * Announcements wait a quarter of a second: a third of the messages, and what that costs the swarm is in its figures.
 */
const SPARSE = { pieces: 1_000, peers: 100, degree: 20, batchMs: 250 }
const STRESS: Partial<Scenario> = { speedSigma: 0.6, slow: 0.05, dying: 0.03 }
/**
 * Peers that share a machine which is too small for them: from the second piece on all takes five times as long, and
 * news take seconds.
 */
export const BUSY: Partial<Scenario> = {
  pieces: 64,
  workMs: 2_000,
  workSigma: 0.1,
  speedSigma: 0.1,
  busyAfterMs: 2_500,
  lagMs: 500,
  minLatencyMs: 500,
  maxLatencyMs: 2_000,
  pieceBytes: 1_000_000,
  bytesPerSecond: 1_000_000
}

/** By the name that `--preset` takes. */
export const PRESETS = {
  /** the paper's model: proves the simulator */
  paper: GRID.map(size => cell(`${size.pieces}/${size.peers} random, lock-step`, { ...LOCK_STEP, ...size }, 100, 'expected')),
  mesh: [
    ...GRID.map(size => cell(`${size.pieces}/${size.peers}`, size, 20)),
    cell('1000/16', { pieces: 1_000, peers: 16 }, 10),
    cell('1000/100', { pieces: 1_000, peers: 100 }, 5)
  ],
  sparse: [
    cell('1000/100, degree 20', SPARSE, 3),
    cell('1000/100, degree 20, random', { ...SPARSE, policy: 'random-async' }, 3),
    cell('1000/100, degree 20, 1 s a piece', { ...SPARSE, workMs: 1_000, batchMs: 100 }, 3),
    cell('1000/100, degree 20, 60 s a piece', { ...SPARSE, workMs: 60_000 }, 3),
    cell('1000/100, degree 50', { ...SPARSE, degree: 50 }, 3)
  ],
  large: [cell('10000/1000, degree 50', { ...SPARSE, pieces: 10_000, peers: 1_000, degree: 50 }, 1)],
  stress: [
    cell('192/16, σ .6, 5 % ten times slower, 3 % die', STRESS, 50),
    cell('the same, deaths noticed at once', { ...STRESS, deathNoticeMs: 0 }, 50),
    cell('the same, random', { ...STRESS, policy: 'random-async' }, 50),
    cell('1000/100, degree 20, the same', { ...SPARSE, ...STRESS }, 5)
  ],
  busy: [
    cell('64/16, five times slower from the second piece on', BUSY, 20),
    cell('the same, news in time', { ...BUSY, minLatencyMs: 1, maxLatencyMs: 200 }, 20),
    cell('the same, always slow', { ...BUSY, busyAfterMs: 1 }, 20),
    cell('256/16', { ...BUSY, pieces: 256 }, 5)
  ],
  squatters: (['hold', 'cycle', 'lapse', 'invent'] as const).flatMap(squat => [
    cell(`192/16 and 20 % squatters that ${squat}`, { squatters: 0.2, squat }, 10, 'honest'),
    cell(`192/16 and 40 % squatters that ${squat}`, { squatters: 0.4, squat }, 10, 'honest'),
    cell(`1000/100, degree 20, and 40 % squatters that ${squat}`, { ...SPARSE, squatters: 0.4, squat }, 1, 'honest')
  ]),
  liars: LIES.flatMap(lie => [
    cell(`192/16 and 5 % liars: ${lie}`, { liars: 0.05, lie }, 5, 'honest'),
    cell(`1000/20 and 5 % liars: ${lie}`, { pieces: 1_000, peers: 20, liars: 0.05, lie }, 2, 'honest')
  ]),
  'many-liars': LIES.map(lie => cell(`10000/20 and 5 % liars: ${lie}`, { pieces: 10_000, peers: 20, liars: 0.05, lie }, 1, 'honest'))
} satisfies Record<string, Cell[]>
