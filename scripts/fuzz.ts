// Fuzzes every decoder of foreign bytes. Ends with an error if one crashes, takes more than 50 ms for an input, or
// keeps memory.
//   node scripts/fuzz.ts [--inputs N] [--seed N] [--save] [TARGET …]       default: 1 000 000 inputs for each target
//   node scripts/fuzz.ts --sockets [--inputs N] [--seed N] [DOOR …]        the same to every port of real processes
// --save writes the inputs that together reach everything into fixtures/fuzz/, where test/fuzz.test.ts takes them up.
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { barrage } from '../test/helpers/barrage/start.ts'
import { corpusOf, corpusPath } from '../test/helpers/fuzz-corpus.ts'
import { doors } from '../test/helpers/fuzz-doors.ts'
import { targets } from '../test/helpers/fuzz-targets.ts'
import { fuzz, minimise } from '../test/helpers/fuzzer.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    save: { type: 'boolean', default: false },
    sockets: { type: 'boolean', default: false }
  }
})
const seed = Number(values.seed)
console.log(`seed ${seed}\n`)
if (values.sockets) {
  for await (const report of barrage(seed, Number(values.inputs), positionals)) {
    console.log(JSON.stringify(report))
    if (report.problem !== null) process.exitCode = 1
  }
  process.exit()
}
console.log('| decoder | inputs | inputs/s | slowest | memory kept | corpus | blocks reached |')
console.log('|---|---|---|---|---|---|---|')
for (const target of [...targets, ...doors].filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name)
)) {
  const start = performance.now()
  const full = { ...target, seeds: [...target.seeds, ...corpusOf(target.name)] }
  const report = await fuzz(full, Number(values.inputs), seed)
  const perSecond = Math.round((report.inputs / (performance.now() - start)) * 1000)
  console.log(
    `| ${target.name} | ${report.inputs} | ${perSecond} | ${report.slowestMs.toFixed(1)} ms | ` +
      `${(report.grownBytes / 2 ** 20).toFixed(1)} MiB | ${report.corpus.length} | ${report.points} |`
  )
  if (report.problem !== null) {
    console.error(
      `${target.name}: ${report.problem.what}\ninput (base64): ${Buffer.from(report.problem.input).toString('base64')}`
    )
    process.exitCode = 1
  } else if (values.save) {
    writeFileSync(
      corpusPath(target.name),
      (await minimise(full, report.corpus))
        .map(input => `${Buffer.from(input).toString('base64')}\n`)
        .join('')
    )
  }
}
process.exit()
