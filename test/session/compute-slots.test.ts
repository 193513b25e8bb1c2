// What is claimed and started when, on a virtual clock; nothing runs.
import test from 'tape'
import type { Test } from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import type { ClaimingParts } from '../../lib/session/claimed-ahead.ts'
import { ComputeSlots } from '../../lib/session/compute-slots.ts'
import { Slots } from '../../lib/session/slots.ts'
import type { Generation } from '../../lib/store/types.ts'

interface Played {
  clock: VirtualClock
  scheduler: Scheduler
  computing: ComputeSlots
  log: string[]
  computed: number[]
  until: (ms: number) => Promise<void>
}

interface Work { pieceCount: number, slots: number, workMs: number | ((nth: number) => number) }

/** Computes pieces of `workMs`; the log tells what is claimed, started and released, and when. */
function play (t: Test, { pieceCount, slots, workMs }: Work): Played {
  const clock = new VirtualClock()
  const log: string[] = []
  const computed: number[] = []
  let started = 0
  const note = (text: string): void => { log.push(`${clock.now()}: ${text}`) }
  const scheduler = new Scheduler({ pieceCount, peerId: '00'.repeat(20), random: () => 0, now: clock.now })
  const generate = (piece: number): Generation => {
    const ms = typeof workMs === 'number' ? workMs : workMs(started++)
    const result = { size: 1, digest: Buffer.alloc(32), ms, stderr: '' }
    const done = new Promise<typeof result>(resolve => {
      clock.after(ms, () => {
        clock.settled()
        resolve(result)
      })
    })
    return { piece, done, ended: done.then(() => {}), kill () {}, pause () {}, resume () {} }
  }
  const outlet: ClaimingParts['claims'] = {
    claim: claims => { note(`claims ${claims.length}`) },
    release: indices => { note(`releases ${indices.length}`) }
  }
  const computing = new ComputeSlots(new Slots(slots), { scheduler, clock, store: { generate }, claims: outlet }, {
    started: () => { note('starts') },
    ended: (index, ending) => {
      if ('error' in ending) t.fail(ending.error.message)
      if (!('result' in ending)) return
      computed.push(index)
      scheduler.setMissing(index, false)
    },
    idle: () => {}
  })
  t.teardown(() => { void computing.stop() })
  return { clock, scheduler, computing, log, computed, until: async ms => clock.run(() => clock.now() >= ms, ms) }
}

test('the next piece is claimed a moment before its slot is free, once it is known when that is', async t => {
  const { computing, log, until } = play(t, { pieceCount: 4, slots: 1, workMs: 1_000 })
  computing.run()
  await until(3_500)
  t.same(log, [
    '0: claims 1',
    '0: starts',
    '1000: claims 1',
    '1000: starts',
    '1800: claims 1',
    '2000: starts',
    '2800: claims 1',
    '3000: starts'
  ])
})

test('another one is claimed when somebody else has the better claim', async t => {
  const { computing, log, until } = play(t, { pieceCount: 4, slots: 1, workMs: 1_000 })
  computing.run()
  await until(1_850)
  const [, ahead] = computing.claims({ isBackup: false })
  t.equal(ahead?.elapsedMs, 0)
  log.length = 0
  computing.abort(ahead!.index, 'another peer computes it')
  await until(2_500)
  t.same(log, ['1800: releases 1', '1800: claims 1', '2000: starts'])
})

test('as many are claimed as slots will be free', async t => {
  const { computing, log, until } = play(t, { pieceCount: 9, slots: 2, workMs: 500 })
  computing.run()
  await until(960)
  t.equal(log.at(-1), '800: claims 2')
  t.equal(computing.claims({ isBackup: false }).length, 4)
})

test('a piece that was just computed is not chosen again', async t => {
  const { computing, computed, until } = play(t, { pieceCount: 2, slots: 2, workMs: nth => 1_000 + 150 * nth })
  computing.run()
  await until(5_000)
  t.equal(computed.length, 2)
})

test('a piece chosen for a slot that is late is released', async t => {
  const { computing, log, until } = play(t, { pieceCount: 4, slots: 1, workMs: nth => nth === 2 ? 20_000 : 1_000 })
  computing.run()
  await until(3_500)
  t.same(log.slice(-2), ['2800: claims 1', '3201: releases 1'])
  t.equal(computing.claims({ isBackup: false }).length, 1, 'what runs')
  await until(22_500)
  t.same(log.slice(-2), ['22000: claims 1', '22000: starts'])
})

test('no more is claimed than peers take in', async t => {
  const { computing, until } = play(t, { pieceCount: 500, slots: 48, workMs: 1_000 })
  computing.run()
  await until(1_900)
  t.equal(computing.claims({ isBackup: false }).length, 64)
})

test('it is known for how long there is work: a piece\'s time, and in the end what is left of it', async t => {
  const { clock, computing, until } = play(t, { pieceCount: 3, slots: 1, workMs: 1_000 })
  clock.after(2_300, () => {}) // the clock stops at events only
  computing.run()
  await until(900)
  t.equal(computing.busyMs, 0, 'nothing is known of the first one')
  await until(1_700)
  t.equal(computing.busyMs, 1_000, 'another one follows')
  await until(2_300)
  t.equal(computing.busyMs, 700, 'none follows')
  computing.pause()
  t.equal(computing.busyMs, 0)
  computing.resume()
  await until(3_100)
  t.equal(computing.busyMs, 0, 'all is done')
})

test('a work item that loses a collision and would finish first continues as a backup', async t => {
  // of ten seconds; both claims' estimates
  const rules: Array<
    [what: string, atMs: number, theirStartMs: number, theirEstimateMs: number, pieces: number, goesOn: boolean]
  > = [
    ['nearly done', 18_000, 10_000, 40_000, 9, true],
    ['nearly done, but the other one ends first', 18_000, 8_000, 11_000, 9, false],
    ['just begun, and there is other work', 11_000, 10_000, 40_000, 9, false],
    ['just begun, and there is none', 11_000, 10_000, 40_000, 2, true],
    ['nobody knows when the other one ends', 18_000, 10_000, 0, 2, false]
  ]
  for (const [what, atMs, startedAt, estimateMs, pieceCount, goesOn] of rules) {
    const { clock, computing, log, until } = play(t, { pieceCount, slots: 1, workMs: 10_000 })
    computing.run()
    clock.after(atMs, () => {})
    await until(atMs)
    log.length = 0
    const [index] = computing.claims({ isBackup: false }).map(claim => claim.index)
    computing.yieldTo(index!, { startedAt, estimateMs })
    t.same(computing.claims({ isBackup: true }).map(claim => claim.index), goesOn ? [index] : [], what)
    if (goesOn) t.same(log, [`${atMs}: releases 1`, `${atMs}: claims 1`], 'and says so')
  }
})

test('a check is announced as a backup, alone, and is not given up because others have the piece', async t => {
  const { computing, scheduler, log, computed, until } = play(t, { pieceCount: 3, slots: 1, workMs: 1_000 })
  computing.run()
  await until(2_500)
  for (const index of computed) scheduler.checks.add(index)
  await until(3_500)
  const [check] = computing.claims({ isBackup: true }).map(({ index }) => index)
  t.equal(check, computed[0], 'oldest first, now that nothing is missing')
  t.same(computing.claims({ isBackup: false }), [])
  computing.abort(check!, 'another peer has it')
  computing.yieldTo(check!, { startedAt: 0, estimateMs: 1 })
  await until(5_500)
  t.same(computed.slice(3), computed.slice(0, 2))
  t.same(log.slice(-4), ['3000: claims 1', '3000: starts', '4000: claims 1', '4000: starts'])
  t.end()
})

test('a piece that is to be checked while it is computed goes on as a backup', async t => {
  const { computing, scheduler, log, until } = play(t, { pieceCount: 1, slots: 1, workMs: 1_000 })
  computing.run()
  await until(100)
  scheduler.checks.add(0)
  computing.abort(0, 'another peer has it')
  computing.yieldTo(0, { startedAt: 0, estimateMs: 1 })
  t.same(computing.claims({ isBackup: true }).map(({ index }) => index), [0])
  await until(1_500)
  t.same(log, ['0: claims 1', '0: starts', '0: releases 1', '0: claims 1'])
  t.notOk(scheduler.checks.has(0))
  t.end()
})
