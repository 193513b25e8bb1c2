import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { testTutorial } from '../../helpers/tutorial.ts'

testTutorial('sweep.md', async (t, dir) => {
  const read = (who: string): Promise<string> => readFile(path.join(dir, who, 'sweep.csv'), 'utf8')
  const [header, ...rows] = (await read('ben')).trim().split('\n')
  t.equal(header, 'rate,seed,population', 'a header')
  const runs = rows.map(row => row.split(',').slice(0, 2).join())
  t.deepEqual(runs, ['0.01', '0.02', '0.05'].flatMap(rate => [1, 2, 3, 4].map(seed => `${rate},${seed}`)), 'a row for each run')
})
