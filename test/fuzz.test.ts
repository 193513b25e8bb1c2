// A short run of the fuzzer: what earlier runs kept, and a thousand inputs more for each decoder, ten thousand for each
// door. `npm run fuzz` is the long one.
import test from 'tape'
import { corpusOf } from './helpers/fuzz-corpus.ts'
import { doors } from './helpers/fuzz-doors.ts'
import { targets } from './helpers/fuzz-targets.ts'
import { fuzz } from './helpers/fuzzer.ts'

const INPUTS = 1_000
const DOOR_INPUTS = 10_000
const seed = Date.now() % 2 ** 31

for (const [target, count] of [
  ...targets.map(each => [each, INPUTS] as const), ...doors.map(each => [each, DOOR_INPUTS] as const)
]) {
  test(`${target.name}: no input crashes it, takes long, or stays in memory (seed ${seed})`, async t => {
    const { problem, inputs, points } = await fuzz(
      { ...target, seeds: [...target.seeds, ...corpusOf(target.name)] }, count, seed
    )
    t.ok(points > 0, `${inputs} inputs, ${points} blocks reached`)
    t.equal(
      problem === null ? null : `${problem.what} (input, base64: ${Buffer.from(problem.input).toString('base64')})`,
      null
    )
  })
}
