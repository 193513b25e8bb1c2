import test from 'tape'
import { Progress } from '../../lib/session/progress.ts'
import { createTask } from '../../lib/task/task.ts'

const task = createTask({
  name: 'two', command: 'true', pieceLength: 100, files: [{ path: 'a', parts: 3 }, { path: 'b', parts: 1 }]
})

test('lengths are an upper bound that becomes exact', t => {
  const progress = new Progress(task)
  t.equal(progress.length(), 400)
  progress.add(0, 7)
  progress.add(3, 0)
  t.equal(progress.length(), 207)
  t.equal(progress.length(0), 207)
  t.equal(progress.length(1), 0, 'an empty file is exact')
  t.equal(progress.fraction(), 0.5)
  t.equal(progress.fraction(0), 1 / 3)
  t.equal(progress.fraction(1), 1)
  progress.add(1, 100)
  progress.add(2, 1)
  t.same(progress.tally(), { pieces: 4, stored: 4, bytes: 108 })
  t.equal(progress.length(), 108)
  progress.remove(1, 100)
  t.equal(progress.length(), 108, 'a lost piece may have any size again')
  t.equal(progress.fraction(), 0.75)
  t.end()
})

test('time left goes by the pace of the pieces', t => {
  const progress = new Progress(task)
  t.equal(progress.remainingMs(0), Infinity)
  progress.add(0, 1, 1000)
  t.equal(progress.remainingMs(1000), Infinity, 'one piece is no pace')
  progress.add(1, 1, 2000)
  t.equal(progress.remainingMs(2000), 2000, 'two pieces to go, one a second')
  t.equal(progress.remainingMs(4000), 6000, 'longer while nothing comes')
  t.equal(progress.remainingMs(12_001), Infinity, 'unknown when nothing has come for long')
  progress.add(2, 1, 3000)
  progress.add(3, 1, 4000)
  t.equal(progress.remainingMs(4000), 0)
  t.end()
})

test('time left of pieces that come many at a time', t => {
  const progress = new Progress(createTask({ name: 'bursts', command: 'true', pieceLength: 100, parts: 40 }))
  progress.begin(0)
  for (let piece = 0; piece < 10; piece++) progress.add(piece, 1, 60_000 + piece)
  t.equal(Math.round(progress.remainingMs(60_009) / 1000), 180, 'the wait for the first one counts')
  t.ok(Number.isFinite(progress.remainingMs(120_000)), 'a wait that is usual is no end of all')
  t.equal(progress.remainingMs(300_000), Infinity, 'one of four times that is')
  t.end()
})
