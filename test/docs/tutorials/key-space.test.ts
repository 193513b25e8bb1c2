import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { testTutorial } from '../../helpers/tutorial.ts'

testTutorial('key-space.md', async (t, dir) => {
  t.equal(await readFile(path.join(dir, 'ben/found.txt'), 'utf8'), '471\n', 'the key')
})
