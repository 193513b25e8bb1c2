import path from 'node:path'
import { probe, testTutorial } from '../../helpers/tutorial.ts'

testTutorial('frames.md', (t, dir) => {
  t.equal(probe(path.join(dir, 'turn.mp4'), 'stream=width,height,nb_frames'), '80,60,6', 'a film of all frames')
})
