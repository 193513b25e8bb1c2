// When what is known of other peers is written to the disk.
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { Keeping } from '../../lib/session/keeping.ts'

test('changes are kept after a while; what must not be forgotten at once, but not each time', async t => {
  const clock = new VirtualClock()
  const keptAt: number[] = []
  const keeping = new Keeping(clock, () => { keptAt.push(clock.now()) })
  const changes: Array<[at: number, isUrgent: boolean]> = [
    [0, false], [1_000, false], // together
    [6_000, false], [6_100, true], // a key is excluded
    [6_200, true], [6_300, true], [6_400, false], // many are, as anybody can make keys
    [20_000, false]
  ]
  for (const [at, isUrgent] of changes) clock.after(at, () => { keeping.changed(isUrgent) })
  clock.after(21_000, () => {
    keeping.close()
    keeping.close()
  })
  await clock.run(() => false, 60_000)
  t.same(keptAt, [5_000, 6_100, 7_100, 21_000])
})
