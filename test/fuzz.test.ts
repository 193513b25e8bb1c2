// A short run of the fuzzer: what earlier runs kept, and a thousand inputs more for each decoder. `npm run fuzz` is the long one.
import test from 'tape'
import { corpusOf } from './helpers/fuzz-corpus.ts'
import { targets } from './helpers/fuzz-targets.ts'
import { fuzz } from './helpers/fuzzer.ts'

const INPUTS = 1_000
const seed = Date.now() % 2 ** 31

for (const target of targets) {
  test(`${target.name}: no input crashes it, takes long, or stays in memory (seed ${seed})`, async t => {
    const { problem, inputs, points } = await fuzz({ ...target, seeds: [...target.seeds, ...corpusOf(target.name)] }, INPUTS, seed)
    t.comment(`${inputs} inputs, ${points} blocks reached`)
    t.equal(problem === null ? null : `${problem.what} (input, base64: ${Buffer.from(problem.input).toString('base64')})`, null)
  })
}
