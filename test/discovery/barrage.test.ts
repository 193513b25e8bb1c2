// Ten thousand inputs at each port that the command and the library open, over real sockets: nothing ends, goes deaf,
// or keeps memory, and Ctrl-C is heard among them. `npm run fuzz -- --sockets` sends a million.
import test from 'tape'
import { barrage } from '../helpers/barrage/start.ts'

const INPUTS = 10_000
const seed = Date.now() % 2 ** 31

test(`every door under fire (seed ${seed})`, async t => {
  for await (const { door, problem, ...fields } of barrage(seed, INPUTS)) {
    t.equal(problem, null, door)
    t.comment(JSON.stringify(fields))
  }
})
