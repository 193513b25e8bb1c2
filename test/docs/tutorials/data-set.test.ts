import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { testTutorial } from '../../helpers/tutorial.ts'

testTutorial('data-set.md', async (t, dir) => {
  const texts = await Promise.all((await readdir(path.join(dir, 'texts'))).map(
    async name => (await readFile(path.join(dir, 'texts', name), 'utf8')).toLowerCase().match(/\bthe\b/g)!.length
  ))
  t.equal(texts.length, 4, 'texts')
  const counts = await readFile(path.join(dir, 'ben/counts.txt'), 'utf8')
  t.match(counts, new RegExp(`^${texts.reduce((sum, each) => sum + each, 0)} the$`, 'm'), 'all words are counted')
})
