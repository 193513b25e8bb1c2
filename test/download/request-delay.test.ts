// When pieces are asked for, on a virtual clock.
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { RequestDelay } from '../../lib/download/request-delay.ts'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'

const PEER = {} as unknown as TaskPeer
const URGENT = {} as unknown as TaskPeer

/** When the peer is asked, at which times it is considered; work goes on for `busyMs` more. */
async function asked (
  busyMs: (now: number) => number, considered: number[], { random = 1, peer = PEER } = {}
): Promise<number[]> {
  const clock = new VirtualClock()
  const at: number[] = []
  const delay = new RequestDelay({ clock, random: () => random }, {
    isUrgent: each => each === URGENT,
    requestMore: () => {
      at.push(clock.now())
    }
  })
  for (const ms of considered)
    clock.after(ms, () => {
      delay.consider(peer, busyMs(clock.now()))
    })
  await clock.run(() => clock.now() >= 20_000, 20_000)
  return at
}

test('a peer is asked at once when nothing is computed, and some time within half of the work otherwise', async t => {
  t.same(await asked(() => 0, [10]), [10])
  t.same(await asked(() => 1_000, [10]), [510])
  t.same(await asked(() => 1_000, [10], { random: 0.5 }), [260])
  t.same(await asked(() => 60_000, [10]), [3_010], 'never later than this')
  t.same(await asked(() => 60_000, [10], { peer: URGENT }), [10], 'unless somebody waits for what it has')
})

test('one delay covers all announcements in the meantime, and ends with the work', async t => {
  t.same(await asked(() => 1_000, [10, 100, 500]), [510])
  t.same(await asked(now => Math.max(0, 300 - now), [10, 100, 300]), [155, 300])
  t.same(await asked(now => now < 50 ? 1_000 : 0, [10, 60]), [60])
})
