// How many wrong results a swarm accepts, and at which cost: honest machines with the `Verification` of
// lib/verification/, and attackers of many kinds, on a virtual clock.
//   node bench/trust.ts [--runs 3] [--seed 1] [--peers 50] [--pieces 2000] [--attackers 0.2]
//     [--policies 'audit;audit, 1 member'] [--attacks 'instant;twins 2/2'] [--more] [--json]
//   node bench/trust.ts --sample 0.01 [--lies 0.03] …
// Policies and attacks are separated by semicolons. `--more`: lines beside the table. `--sample`: one reader
// asks for less than that wrong (`audit=1%`), pairs lie about `--lies` of the pieces. The same options give the same
// figures. Prints % wrong, work per piece, o: % of which no result is accepted.
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Attack } from './trust/attacks.ts'
import { ATTACKS, MORE, POLICIES, sampling } from './trust/presets.ts'
import { cell, details, summarise } from './trust/report.ts'
import type { Summary } from './trust/report.ts'
import { DEFAULTS } from './trust/scenario.ts'
import type { Scenario } from './trust/scenario.ts'
import { simulate } from './trust/swarm.ts'
import type { Outcome } from './trust/swarm.ts'

const WIDTH = 16

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    peers: { type: 'string', default: String(DEFAULTS.machines) },
    pieces: { type: 'string', default: String(DEFAULTS.pieces) },
    attackers: { type: 'string', default: String(DEFAULTS.attackers) },
    policies: { type: 'string', default: Object.keys(POLICIES).join(';') },
    attacks: { type: 'string', default: Object.keys(ATTACKS).join(';') },
    sample: { type: 'string' },
    lies: { type: 'string', default: '0.03' },
    more: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  }
})
const runs = Number(values.runs)
const seed = Number(values.seed)
const base: Scenario = {
  ...DEFAULTS,
  machines: Number(values.peers),
  pieces: Number(values.pieces),
  attackers: Number(values.attackers)
}

async function run (scenario: Scenario): Promise<Summary> {
  const outcomes: Outcome[] = []
  for (let i = 0; i < runs; i++) outcomes.push(await simulate(scenario, seed + i))
  return summarise(outcomes)
}

/** The attack that leaves most wrong. */
async function worst (scenario: Scenario, attacks: Attack[]): Promise<Summary> {
  let most = await run({ ...scenario, attack: attacks[0] ?? null })
  for (const attack of attacks.slice(1)) {
    const summary = await run({ ...scenario, attack })
    if (summary.wrong > most.wrong) most = summary
  }
  return most
}

function chosen<T> (name: string, names: string, all: Record<string, T>): [string, T][] {
  const keys = names.split(';')
  for (const key of keys) {
    if (Object.hasOwn(all, key)) continue
    console.error(`--${name} knows ${Object.keys(all).join('; ')}, not ${key}.`)
    process.exit(2)
  }
  return keys.map(key => [key, all[key]!])
}

async function table (): Promise<void> {
  const rows = chosen('policies', values.policies, POLICIES)
  const columns = chosen('attacks', values.attacks, ATTACKS)
  const { machines, pieces, attackers } = base
  if (!values.json) {
    console.log(`${machines} machines, ${pieces} pieces, ${100 * attackers} % attackers, seeds ${seed}–${seed + runs - 1}`)
    console.log(' '.repeat(20) + columns.map(([name]) => name.padStart(WIDTH)).join(''))
  }
  for (const [policy, row] of rows) {
    if (!values.json) process.stdout.write(policy.padEnd(20))
    for (const [attack, attacks] of columns) {
      const summary = await worst({ ...base, ...row(machines) }, attacks)
      process.stdout.write(values.json
        ? `${JSON.stringify({ policy, attack, machines, pieces, attackers, seed, ...summary })}\n`
        : cell(summary).padStart(WIDTH))
    }
    if (!values.json) console.log()
  }
}

async function lines (): Promise<void> {
  for (const [label, { attacks, ...changes }] of Object.entries(MORE)) {
    const summary = await worst({ ...base, ...changes }, attacks)
    if (values.json) console.log(JSON.stringify({ label, seed, ...summary }))
    else console.log(`${label.padEnd(46)}${details(summary)}`)
  }
}

/** How often a reader's sample fails, and its estimate covers what was wrong. */
async function samples (error: number, part: number): Promise<void> {
  const scenario = { ...base, ...sampling(base.machines, base.attackers, error, part) }
  let failed = 0
  let covered = 0
  let left = 0
  let checked = 0
  for (let i = 0; i < runs; i++) {
    const { sample, lied, wrongOfFirst } = await simulate(scenario, seed + i)
    if (sample?.state === 'failed') failed++
    if (sample !== null && sample.atMost >= lied / scenario.pieces) covered++
    left += wrongOfFirst / runs
    checked += (sample?.checked ?? 0) / runs
  }
  const figures = { error, part, runs, seed, failed, covered, left, checked }
  if (values.json) return console.log(JSON.stringify(figures))
  console.log(`sample of less than ${100 * error} %, ${100 * part} % lies, ${base.pieces} pieces, ` +
    `seeds ${seed}–${seed + runs - 1}: failed in ${failed} of ${runs}, the estimate covers the truth in ${covered}; ` +
    `${(100 * left).toFixed(2)} % left wrong, ${checked.toFixed(0)} pieces in the last round`)
}

if (values.sample !== undefined) await samples(Number(values.sample), Number(values.lies))
else await (values.more ? lines() : table())
