// What honest peers get, and what it costs them, with a liar of each kind beside them: clients of the library in one
// process, with real connections on loopback. Machines are functions that wait.
//   node bench/live-liars.ts [--runs 10] [--seed 1] [--kinds 'all at once;one in ten'] [--member no,yes]
//     [--pieces 120] [--ms 40]
// Kinds are separated by semicolons. Prints a row for each kind, without and with a member of a key that all trust.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { KINDS, liarSwarm } from '../test/helpers/liar-swarm.ts'
import type { SwarmReport } from '../test/helpers/liar-swarm.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    kinds: { type: 'string', default: Object.keys(KINDS).join(';') },
    member: { type: 'string', default: 'no,yes' },
    pieces: { type: 'string', default: '120' },
    ms: { type: 'string', default: '40' },
    verbose: { type: 'boolean', default: false }
  }
})
const [runs, seed, pieces, pieceMs] = [values.runs, values.seed, values.pieces, values.ms].map(Number) as
  [number, number, number, number]

function row (kind: string, hasMember: boolean, reports: SwarmReport[]): string {
  const sum = (of: (report: SwarmReport) => number): number => reports.reduce((total, report) => total + of(report), 0)
  const count = (is: (report: SwarmReport) => boolean): string => `${reports.filter(is).length}/${reports.length}`
  const works = reports.map(({ items }) => items / pieces)
  return [
    kind,
    hasMember ? 'yes' : 'no',
    count(report => report.wrong === 0 && report.wrongFirst === 0),
    `${sum(({ wrong }) => wrong)} (${sum(({ wrongFirst }) => wrongFirst)})`,
    `${(works.reduce((a, b) => a + b, 0) / works.length).toFixed(2)}, ${Math.max(...works).toFixed(2)}`,
    (sum(({ lies }) => lies) / reports.length).toFixed(1),
    count(({ suspectedBy, excludedBy }) => suspectedBy + excludedBy > 0),
    count(({ excludedBy }) => excludedBy > 0),
    `${sum(({ honestSuspected }) => honestSuspected)}, ${sum(({ honestExcluded }) => honestExcluded)}`
  ].join(' | ')
}

console.log(`${pieces} pieces of ${pieceMs} ms, three honest peers, seeds ${seed}–${seed + runs - 1}

| liar | member | runs without a wrong line | wrong lines (when first done) | work × pieces: mean, most | lies told | named in | excluded in | honest keys suspended, excluded |
|---|---|---|---|---|---|---|---|---|`)
for (const kind of values.kinds.split(';')) {
  for (const hasMember of values.member.split(',').map(word => word === 'yes')) {
    const reports: SwarmReport[] = []
    for (let run = 0; run < runs; run++) {
      const report = await liarSwarm({ kind, seed: seed + run, hasMember, pieces, pieceMs })
      if (values.verbose) console.error(kind, hasMember, seed + run, JSON.stringify(report))
      reports.push(report)
    }
    console.log(`| ${row(kind, hasMember, reports)} |`)
  }
}
process.exit()
