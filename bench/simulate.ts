// Swarms on a virtual clock: the scheduler, the claims and the wire protocol of lib/ and extensions/, with hundreds to
// thousands of peers in one process; only the network, the commands and the downloads are simulated.
//   node bench/simulate.ts --preset paper|mesh|sparse|large|stress|squatters [--runs N] [--seed N] [--json]
//   node bench/simulate.ts [--pieces 192] [--peers 16] [--degree 0] … one swarm; --help lists the rest
// The same options and seed give the same outcome. Prints a table; the columns: bench/README.md.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { PRESETS } from './simulator/presets.ts'
import type { Cell } from './simulator/presets.ts'
import { HEAD, row, summarise } from './simulator/report.ts'
import { DEFAULTS, LOCK_STEP } from './simulator/scenario.ts'
import type { Scenario } from './simulator/scenario.ts'
import { simulate } from './simulator/swarm.ts'
import type { Outcome } from './simulator/swarm.ts'

type Key = keyof Scenario

const CHOICES = { policy: ['bitworker', 'random', 'random-async'], squat: ['hold', 'cycle', 'lapse', 'invent'] }

/** workMs → work-ms */
function flag (key: string): string {
  return key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function fail (message: string): never {
  console.error(message)
  process.exit(2)
}

function scenarioOf (values: Record<string, string | boolean | undefined>): Scenario {
  const base = values['policy'] === 'random' ? { ...DEFAULTS, ...LOCK_STEP } : DEFAULTS
  return Object.fromEntries(Object.entries(base).map(([key, usual]) => {
    const text = values[flag(key)]
    if (typeof text !== 'string') return [key, usual]
    if (key === 'policy' || key === 'squat') return CHOICES[key].includes(text) ? [key, text] : fail(`--${flag(key)}: ${CHOICES[key].join(', ')}`)
    return Number(text) >= 0 ? [key, Number(text)] : fail(`--${flag(key)} is a number, not ${text}`)
  })) as Record<Key, unknown> as Scenario
}

function cellsOf (values: Record<string, string | boolean | undefined>): Cell[] {
  const { preset } = values
  if (typeof preset === 'string') {
    return Object.hasOwn(PRESETS, preset) ? PRESETS[preset as keyof typeof PRESETS] : fail(`--preset: ${Object.keys(PRESETS).join(', ')}`)
  }
  const scenario = scenarioOf(values)
  const label = `${scenario.pieces}/${scenario.peers}`
  if (scenario.squatters > 0) return [{ label, scenario, runs: 5, compare: 'honest' }]
  return [{ label, scenario, runs: 5, ...(scenario.policy === 'random' && { compare: 'expected' }) }]
}

async function runs (scenario: Scenario, count: number, firstSeed: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let i = 0; i < count; i++) outcomes.push(await simulate(scenario, firstSeed + i))
  return outcomes
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

if (values['json'] !== true) console.log(`seeds from ${values['seed']} on\n${HEAD}`)
for (const cell of cellsOf(values)) {
  const count = Number(values['runs'] ?? cell.runs)
  const seed = Number(values['seed'])
  const outcomes = await runs(cell.scenario, count, seed)
  const honest = cell.compare === 'honest' ? await runs({ ...cell.scenario, squatters: 0 }, count, seed) : []
  const line = summarise(cell, outcomes, honest)
  console.log(values['json'] === true ? JSON.stringify({ ...line, scenario: cell.scenario }) : row(line))
}
