// Swarms on a virtual clock: the scheduler, the claims and the wire protocol of lib/ and extensions/, with hundreds to
// thousands of peers in one process; only the network, the commands and the downloads are simulated.
//   node bench/simulate.ts --preset paper|mesh|sparse|large|stress|busy|squatters|liars [--runs N] [--seed N] [--json]
//   node bench/simulate.ts [--pieces 192] [--peers 16] [--degree 0] … one swarm; --help lists the rest
// The same options and seed give the same outcome. Prints a table (the columns: bench/README.md), and on stderr how far
// a run is that takes longer than ten seconds.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { PRESETS } from './simulator/presets.ts'
import type { Cell } from './simulator/presets.ts'
import { HEAD, row, summarise } from './simulator/report.ts'
import { DEFAULTS, LOCK_STEP } from './simulator/scenario.ts'
import type { Scenario } from './simulator/scenario.ts'
import { simulate } from './simulator/swarm.ts'
import type { Outcome, Progress } from './simulator/swarm.ts'

type Key = keyof Scenario

/** Between two lines on stderr. */
const REPORT_MS = 10_000
const CHOICES: Record<string, string[]> = {
  policy: ['bitworker', 'random', 'random-async'],
  squat: ['hold', 'cycle', 'lapse', 'invent'],
  lie: ['silent', 'trickle', 'slow', 'reborn', 'bait', 'garbage', 'sizes'],
  forgery: ['instant', 'tenth', 'late'],
  verify: ['off', 'audit']
}

/** workMs → work-ms */
function flag (key: string): string {
  return key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function fail (message: string): never {
  console.error(message)
  process.exit(2)
}

function whole (name: 'runs' | 'seed', least: number): number {
  const number = Number(values[name])
  return Number.isSafeInteger(number) && number >= least
    ? number
    : fail(`--${name} is a whole number of at least ${least}, not ${values[name]}`)
}

function scenarioOf (values: Record<string, string | boolean | undefined>): Scenario {
  const base = values['policy'] === 'random' ? { ...DEFAULTS, ...LOCK_STEP } : DEFAULTS
  return Object.fromEntries(Object.entries(base).map(([key, usual]) => {
    const text = values[flag(key)]
    if (typeof text !== 'string') return [key, usual]
    const choices = CHOICES[key]
    if (choices !== undefined) {
      return choices.includes(text) ? [key, text] : fail(`--${flag(key)}: ${choices.join(', ')}`)
    }
    return Number(text) >= 0 ? [key, Number(text)] : fail(`--${flag(key)} is a number, not ${text}`)
  })) as Record<Key, unknown> as Scenario
}

function cellsOf (values: Record<string, string | boolean | undefined>): Cell[] {
  const { preset } = values
  if (typeof preset === 'string') {
    return Object.hasOwn(PRESETS, preset)
      ? PRESETS[preset as keyof typeof PRESETS]
      : fail(`--preset: ${Object.keys(PRESETS).join(', ')}`)
  }
  const scenario = scenarioOf(values)
  const label = `${scenario.pieces}/${scenario.peers}`
  if (scenario.squatters > 0 || scenario.liars > 0) return [{ label, scenario, runs: 5, compare: 'honest' }]
  return [{ label, scenario, runs: 5, ...(scenario.policy === 'random' && { compare: 'expected' }) }]
}

async function runs (scenario: Scenario, count: number, firstSeed: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    outcomes.push(await simulate(scenario, seed, reporter(scenario, seed)))
  }
  return outcomes
}

function reporter ({ pieces, peers }: Scenario, seed: number): (progress: Progress) => void {
  let reportedAt = performance.now()
  return ({ elapsedMs, idealMs, done }) => {
    if (performance.now() - reportedAt < REPORT_MS) return
    reportedAt = performance.now()
    const ideal = (idealMs / 1000).toFixed(1)
    console.error(
      `${pieces}/${peers}, seed ${seed}: ${elapsedMs / 1000} s simulated (ideal: ${ideal} s), ${done} pieces done`
    )
  }
}

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(Object.keys(DEFAULTS).map(key => [flag(key), { type: 'string' as const }])),
    preset: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
}) as { values: Record<string, string | boolean | undefined> }

if (values['help'] === true) {
  console.log('Options, with their defaults (what they mean: bench/simulator/scenario.ts):')
  for (const [key, usual] of Object.entries(DEFAULTS)) console.log(`  --${flag(key)} ${usual}`)
  console.log(`  --preset ${Object.keys(PRESETS).join('|')}\n  --runs N\n  --seed 1\n  --json`)
  process.exit(0)
}

async function honestOf (scenario: Scenario, count: number): Promise<Outcome[]> {
  const { squat, lie } = DEFAULTS
  const without = { ...scenario, squatters: 0, squat, liars: 0, lie }
  const key = `${count} ${JSON.stringify(without)}`
  const known = honestRuns.get(key) ?? await runs(without, count, seed)
  honestRuns.set(key, known)
  return known
}

const cells = cellsOf(values)
const seed = whole('seed', 0)
const runsOfEach = values['runs'] === undefined ? null : whole('runs', 1)

if (values['json'] !== true) console.log(`seeds from ${seed} on\n${HEAD}`)
/** Several cells compare with one honest swarm. */
const honestRuns = new Map<string, Outcome[]>()
for (const cell of cells) {
  const count = runsOfEach ?? cell.runs
  const outcomes = await runs(cell.scenario, count, seed)
  const honest = cell.compare === 'honest' ? await honestOf(cell.scenario, count) : []
  const line = summarise(cell, outcomes, honest)
  console.log(values['json'] === true ? JSON.stringify({ ...line, scenario: cell.scenario }) : row(line))
}
