// What is passed on of the claims of neighbours, on a virtual clock, with peers that only take notes.
import { EventEmitter } from 'node:events'
import test from 'tape'
import { VirtualClock } from '../bench/simulator/clock.ts'
import type { RelayRecord } from '../extensions/ut_bitworker/index.ts'
import { ClaimExchange } from '../lib/claim-exchange.ts'
import { Scheduler } from '../lib/scheduler.ts'
import { TaskPeer } from '../lib/task-peer.ts'

const PACE_MS = 10_000

/** A matched peer; `heard` is what we relay to it. */
function matched (id: string): { peer: TaskPeer, heard: number[], claims: (indices: number[], now: number) => void } {
  const heard: number[] = []
  const state = { status: 'matched', claims: new Map<number, object>(), sentClaims: new Map(), neighbours: new Set(), relays: { of: () => [] } }
  const ext = Object.assign(new EventEmitter(), {
    state,
    relay: (relays: RelayRecord[]) => { heard.push(...relays.map(({ index }) => index)) },
    withdraw () {},
    setNeighbour () {}
  })
  const peer = new TaskPeer({ peerId: id.repeat(20) } as never, ext as never, {} as never)
  const claims = (indices: number[], now: number): void => {
    const records = indices.map(index => ({ index, elapsedMs: 0, estimateMs: PACE_MS }))
    for (const record of records) state.claims.set(record.index, { ...record, firstElapsedMs: 0, isBackup: false, receivedAt: now })
    ext.emit('claims', records)
  }
  return { peer, heard, claims }
}

test('only claims that are believed here are passed on', async t => {
  const clock = new VirtualClock()
  const scheduler = new Scheduler({ pieceCount: 100, peerId: '00'.repeat(20), random: () => 0, now: clock.now })
  scheduler.setPace(PACE_MS)
  const exchange = new ClaimExchange(scheduler, { clock, peerId: new Uint8Array(20), claims: () => [], yield: () => t.fail('nothing runs here') })
  const [claimant, listener] = [matched('aa'), matched('bb')]
  for (const { peer } of [claimant, listener]) exchange.add(peer)
  const pass = async (ms: number): Promise<void> => {
    const end = clock.now() + ms
    clock.after(ms, () => {})
    await clock.run(() => clock.now() >= end, end)
  }
  claimant.claims(Array.from({ length: 12 }, (_, index) => index), clock.now())
  await pass(1_000)
  t.deepEqual(listener.heard, [0, 1, 2, 3, 4, 5, 6, 7], 'as many as a newcomer is believed')
  // it delivers none of them
  await pass(10 * PACE_MS)
  scheduler.claims.expire()
  listener.heard.length = 0
  claimant.claims([50, 51], clock.now())
  await pass(1_000)
  t.deepEqual(listener.heard, [], 'who let claims lapse is not believed any more')
  exchange.delivered(claimant.peer)
  claimant.claims([60, 61], clock.now())
  await pass(1_000)
  t.deepEqual(listener.heard, [60, 61], 'until it delivers')
})
