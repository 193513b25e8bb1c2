// What is passed on of the claims of neighbours, on a virtual clock, with peers that only take notes.
import { EventEmitter } from 'node:events'
import test from 'tape'
import type { Test } from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import type { RelayRecord, WithdrawalRecord } from '../../extensions/ut_bitworker/index.ts'
import { ClaimExchange } from '../../lib/peers/claim-exchange.ts'
import { TaskPeer } from '../../lib/peers/task-peer.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'

const PACE_MS = 10_000

/** A matched peer; `heard` is what we relay to it, `withdrawn` what we take back. */
function matched (
  id: string
): { peer: TaskPeer, heard: number[], withdrawn: number[], claims: (indices: number[], now: number) => void } {
  const heard: number[] = []
  const withdrawn: number[] = []
  const state = {
    status: 'matched',
    claims: new Map<number, object>(),
    sentClaims: new Map(),
    neighbours: new Set(),
    relays: { of: () => [] }
  }
  const ext = Object.assign(new EventEmitter(), {
    state,
    relay: (relays: RelayRecord[]) => { heard.push(...relays.map(({ index }) => index)) },
    withdraw: (withdrawals: WithdrawalRecord[]) => { withdrawn.push(...withdrawals.map(({ index }) => index)) },
    setNeighbour () {}
  })
  const peer = new TaskPeer({ peerId: id.repeat(20) } as never, ext as never, {} as never)
  const claims = (indices: number[], now: number): void => {
    const records = indices.map(index => ({ index, elapsedMs: 0, estimateMs: PACE_MS }))
    for (const record of records) {
      state.claims.set(record.index, { ...record, firstElapsedMs: 0, isBackup: false, receivedAt: now })
    }
    ext.emit('claims', records)
  }
  return { peer, heard, withdrawn, claims }
}

/** Two peers, the claims of one of which we pass on to the other. */
function exchangeOf (t: Test) {
  const clock = new VirtualClock()
  const scheduler = new Scheduler({ pieceCount: 100, peerId: '00'.repeat(20), random: () => 0, now: clock.now })
  scheduler.setPace(PACE_MS)
  const exchange = new ClaimExchange({ scheduler, clock, peerId: new Uint8Array(20) }, {
    claims: () => [],
    yield: () => {
      t.fail('nothing runs here')
    }
  })
  const [claimant, listener] = [matched('aa'), matched('bb')]
  for (const { peer } of [claimant, listener]) exchange.add(peer)
  const pass = async (ms: number): Promise<void> => {
    const end = clock.now() + ms
    clock.after(ms, () => {})
    await clock.run(() => clock.now() >= end, end)
  }
  return { exchange, scheduler, clock, pass, claimant, listener }
}

test('a claim that has ended is not relayed, or is withdrawn', async t => {
  const { exchange, clock, pass, claimant, listener } = exchangeOf(t)
  claimant.claims([1, 2, 3], clock.now())
  claimant.peer.ext.emit('releases', [1])
  exchange.fulfil(claimant.peer, [2])
  await pass(1_000)
  t.deepEqual(listener.heard, [3], 'what ended before is not passed on')
  claimant.claims([4], clock.now())
  await pass(1_000)
  exchange.fulfil(claimant.peer, [0, 3])
  t.deepEqual(listener.withdrawn, [], 'a result makes its own way')
  claimant.peer.ext.emit('releases', [3, 4])
  t.deepEqual(listener.withdrawn, [4])
})

test('only claims that are believed here are passed on', async t => {
  const { exchange, scheduler, clock, pass, claimant, listener } = exchangeOf(t)
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
