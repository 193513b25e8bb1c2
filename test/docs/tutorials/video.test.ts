import path from 'node:path'
import { probe, testTutorial } from '../../helpers/tutorial.ts'

testTutorial('video.md', (t, dir) => {
  for (const who of ['ada', 'ben']) {
    const file = path.join(dir, who, 'film.mp4')
    t.equal(probe(file, 'stream=codec_name'), 'h264\naac', `${who} has picture and sound`)
    t.ok(Math.abs(Number(probe(file, 'format=duration')) - 6) < 0.2, 'all of it')
  }
})
