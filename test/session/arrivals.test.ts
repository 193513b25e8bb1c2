// Pieces that come from peers, where a verify command runs.
import test from 'tape'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import { Arrivals } from '../../lib/session/arrivals.ts'
import type { ArrivalParts } from '../../lib/session/arrivals.ts'

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
