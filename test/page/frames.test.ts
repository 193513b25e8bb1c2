// When the page paints: at most twice a second each, and never more work in a frame than it has room for.
import test from 'tape'
import { FRAME_WORK, Frames } from '../../lib/page/client/frames.ts'
import type { Painter } from '../../lib/page/client/frames.ts'

interface Screen {
  frames: Frames
  run: (ms: number) => void
  /** of each frame */
  works: number[]
  painter: (work: number, log?: number[]) => Painter
}

/** Frames every 16 ms of a clock that the test moves. */
function screen (): Screen {
  let now = 0
  let due: Array<{ at: number, run: () => void }> = []
  const works: number[] = []
  const frames = new Frames({
    request: run => { due.push({ at: now + 16, run: () => { works.push(0); run() } }) },
    now: () => now,
    later: (run, ms) => { due.push({ at: now + ms, run }) }
  })
  return {
    frames,
    works,
    run: ms => {
      for (const end = now + ms; now < end; now++) {
        const ready = due.filter(({ at }) => at <= now)
        due = due.filter(({ at }) => at > now)
        for (const { run } of ready) run()
      }
    },
    painter: (work, log = []) => ({
      work: () => work,
      paint: () => { works[works.length - 1]! += work; log.push(now) }
    })
  }
}

test('many large bars are spread over frames', t => {
  const { frames, run, works, painter } = screen()
  for (let i = 0; i < 12; i++) frames.want(painter(FRAME_WORK / 2.5))
  run(400)
  t.ok(Math.max(...works) <= FRAME_WORK, `${works.length} frames, at most ${Math.max(...works)}`)
  t.equal(works.reduce((sum, work) => sum + work, 0), 12 * FRAME_WORK / 2.5, 'all of them')
  t.end()
})

test('what is larger than a frame has one to itself', t => {
  const { frames, run, works, painter } = screen()
  frames.want(painter(10))
  frames.want(painter(FRAME_WORK * 2))
  run(100)
  t.deepEqual(works, [10, FRAME_WORK * 2])
  t.end()
})

test('changes at any rate are painted twice a second', t => {
  const { frames, run, painter } = screen()
  const log: number[] = []
  const one = painter(1, log)
  for (let i = 0; i < 300; i++) { frames.want(one); run(10) }
  t.ok(log.length >= 5 && log.length <= 7, `${log.length} times in 3 s`)
  const before = log.length
  run(1000)
  frames.want(one)
  frames.want(one, true)
  run(30)
  t.ok(log.length > before, 'a click is answered in the next frame')
  t.end()
})

test('what is gone is not painted', t => {
  const { frames, run, painter } = screen()
  const log: number[] = []
  const one = painter(1, log)
  frames.want(one)
  frames.drop(one)
  run(100)
  t.deepEqual(log, [])
  t.end()
})
