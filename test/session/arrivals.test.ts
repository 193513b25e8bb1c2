// Pieces that come from peers, where a verify command runs.
import test from 'tape'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import { Holder } from '../../lib/scheduling/holder.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import { Arrivals } from '../../lib/session/arrivals.ts'
import type { ArrivalParts } from '../../lib/session/arrivals.ts'

test('nothing is expected of a peer that is not listened to, though one of its results was right', async t => {
  let now = 0
  const scheduler = new Scheduler({ pieceCount: 2, peerId: 'a'.repeat(40), random: () => 0, now: () => now })
  const holder = new Holder()
  const peer = { holder, name: 'liar' } as unknown as TaskPeer
  for (const index of [0, 1]) scheduler.deliveries.announced(holder, index, 2)
  scheduler.deliveries.useless(holder)
  const parts = {
    scheduler,
    results: { has: () => false },
    computing: { abort () {}, run () {} },
    neighbours: { delivered: (by: TaskPeer, bytes: number) => { scheduler.deliveries.delivered(by.holder, bytes) } },
    vetting: { verifier: { isOn: true, listensTo: () => false }, downloaded: async () => 'right', confirm () {} }
  } as unknown as ArrivalParts
  const arrivals = new Arrivals(parts, { report () {}, broken: err => { t.fail(err.message) } }, index => {
    scheduler.setMissing(index, false)
  })
  const result = { size: 2, digest: new Uint8Array(32) }
  await arrivals.add(0, result, { commit: async () => result } as never, [peer])
  now = 3_600_000
  t.equal(scheduler.next()?.index, 1, 'its other piece is computed here')
})

test('pieces that wait for a verdict are bounded by their number and their bytes', async t => {
  const waiting: Array<() => void> = []
  const parts = {
    scheduler: { deliveries: { transferred () {} }, isMissing: () => true },
    results: { has: () => false },
    computing: { abort () {}, run () {} },
    neighbours: { delivered () {} },
    vetting: {
      verifier: { isOn: true, listensTo: () => true },
      downloaded: async () => new Promise(resolve => { waiting.push(() => { resolve('wrong') }) })
    }
  } as unknown as ArrivalParts
  const arrivals = new Arrivals(parts, { report () {}, broken: err => { t.fail(err.message) } }, () => {})
  const come = (index: number, size: number): Promise<void> => (
    arrivals.add(index, { size, digest: new Uint8Array(32) }, {} as never, [{ holder: {} } as unknown as TaskPeer])
  )
  const small = Array.from({ length: 256 }, async (_, index) => come(index, 1))
  t.ok(arrivals.isFull, 'by their number')
  waiting.shift()!()
  await small[0]
  t.notOk(arrivals.isFull)
  const large = come(300, 256 << 20)
  t.ok(arrivals.isFull, 'by their bytes')
  for (const end of waiting) end()
  await Promise.all([...small, large])
  t.notOk(arrivals.isFull)
})
