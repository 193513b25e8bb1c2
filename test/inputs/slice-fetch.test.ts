// Which slices are fetched and claimed when, on a virtual clock; nothing is downloaded.
import test from 'tape'
import type { Test } from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { choosePieces, leadMs, slicesDue } from '../../lib/inputs/plan.ts'
import type { WaitingPiece } from '../../lib/inputs/plan.ts'
import { SliceFetch } from '../../lib/inputs/slice-fetch.ts'
import { ClaimSource } from '../../lib/scheduling/claimants.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import { ComputeSlots } from '../../lib/session/compute-slots.ts'
import { Slots } from '../../lib/session/slots.ts'
import type { Generation } from '../../lib/store/types.ts'

const [SELF, PEER] = ['00'.repeat(20), '11'.repeat(20)]

interface Options {
  pieceCount: number
  slots?: number
  workMs: number
  /** how long a slice takes; Infinity: nobody sends it */
  fetchMs?: number
  others?: (piece: number) => 'none' | 'fetched' | 'absent'
}

interface Played {
  scheduler: Scheduler
  work: ComputeSlots
  log: string[]
  until: (ms: number) => Promise<void>
  changed: () => void
}

/** One peer of a task whose pieces have slices of one unit each. The log tells what it does, and when. */
function play (t: Test, { pieceCount, slots = 1, workMs, fetchMs = 100, others = () => 'none' }: Options): Played {
  const clock = new VirtualClock()
  const log: string[] = []
  const note = (what: string, ...pieces: number[]): void => { log.push(`${clock.now()}: ${what} ${pieces.join(' ')}`) }
  const scheduler = new Scheduler({ pieceCount, peerId: SELF, random: () => 0, now: clock.now, needsInputs: true })
  const [arrivals, here] = [new Map<number, number>(), new Set<number>()]
  const generate = (piece: number): Generation => {
    let isKilled = false
    const done = new Promise<Awaited<Generation['done']>>((resolve, reject) => {
      clock.after(workMs, () => {
        clock.settled()
        if (isKilled) reject(new Error('killed'))
        else resolve({ size: 1, digest: Buffer.alloc(32), ms: workMs, stderr: '' })
      })
    })
    return { piece, done, ended: done.then(() => {}, () => {}), kill () { isKilled = true }, pause () {}, resume () {} }
  }
  const work: ComputeSlots = new ComputeSlots(new Slots(slots), {
    scheduler,
    clock,
    store: { generate },
    claims: {
      claim: claims => { note('claims', ...claims.map(({ index }) => index)) },
      release: indices => { note('releases', ...indices) }
    }
  }, {
    started: index => { note('starts', index) },
    ended: (index, ending) => { if ('result' in ending) scheduler.setMissing(index, false) },
    idle: () => { changed() }
  })
  const fetch = new SliceFetch({
    scheduler,
    work,
    clock,
    slots,
    slices: { lacks: piece => here.has(piece) ? [] : [piece], isRefused: () => false, others: piece => others(piece) },
    changed: () => { changed() }
  })
  let isDue = false
  function changed (): void {
    if (isDue) return
    isDue = true
    clock.after(1, () => {
      isDue = false
      for (const unit of fetch.update()) {
        if (arrivals.has(unit) || fetchMs === Infinity) continue
        note('fetches', unit)
        arrivals.set(unit, clock.now() + fetchMs)
        clock.after(fetchMs, () => {
          here.add(unit)
          changed()
        })
      }
    })
  }
  t.teardown(() => {
    fetch.close()
    void work.stop()
  })
  const until = async (ms: number): Promise<void> => {
    clock.post(ms - clock.now(), () => {})
    await clock.run(() => clock.now() >= ms, ms)
  }
  return { scheduler, work, log, changed, until }
}

test('a piece is claimed before its slice is fetched, and fetched just before there is a slot for it', async t => {
  const { log, until, changed } = play(t, { pieceCount: 4, workMs: 5_000 })
  changed()
  await until(21_000)
  t.same(log, [
    '1: claims 0', '1: fetches 0', '102: starts 0',
    '103: claims 1', '103: fetches 1', '5102: starts 1',
    // as long as a slice takes, and half of that, and the time in which others hear of it
    '9752: claims 2', '9752: fetches 2', '10102: starts 2',
    // the last one waits for the slot
    '15103: claims 3', '15103: fetches 3', '15204: starts 3'
  ])
  t.end()
})

test('while there is plenty, the second slice is fetched as soon as the first is used', async t => {
  const { log, until, changed } = play(t, { pieceCount: 9, workMs: 5_000 })
  changed()
  await until(5_200)
  t.same(log.slice(0, 5), ['1: claims 0', '1: fetches 0', '102: starts 0', '103: claims 1', '103: fetches 1'])
  t.equal(log[5], '5102: starts 1')
  t.end()
})

test('slots are busy if slices take half as long as pieces', async t => {
  for (const workMs of [100, 10_000]) {
    const { log, until, changed } = play(t, { pieceCount: 500, workMs, fetchMs: workMs / 2, slots: 2 })
    changed()
    await until(100 * workMs)
    const count = log.filter(line => line.includes('starts')).length
    t.ok(count >= 0.95 * 200, `${count} of 200 pieces of ${workMs} ms`)
  }
  t.end()
})

test('a second computation is claimed before its slice is fetched, too', async t => {
  const { log, until, changed, scheduler } = play(t, { pieceCount: 1, workMs: 5_000, others: () => 'fetched' })
  scheduler.setMissing(0, false)
  scheduler.checks.setLook(0, true)
  changed()
  await until(5_000)
  t.same(log, ['1: claims 0', '102: fetches 0', '203: starts 0'], 'it is fetched once nobody has objected')
  t.end()
})

test('a second computation that another peer claims, or has made, is not fetched for', async t => {
  for (const other of ['claims', 'has made'] as const) {
    const { log, until, changed, scheduler, work } = play(t, { pieceCount: 1, workMs: 5_000, others: () => 'fetched' })
    scheduler.setMissing(0, false)
    scheduler.checks.setLook(0, true)
    changed()
    await until(50)
    if (other === 'has made') scheduler.checks.setLook(0, false)
    else {
      const claim = { index: 0, elapsedMs: 0, estimateMs: 5_000, isBackup: false }
      scheduler.claims.add(new ClaimSource({ limit: 8 }), PEER, claim)
      work.yieldTo(0, { startedAt: 0, estimateMs: 5_000 })
    }
    changed()
    await until(1_000)
    t.same(log.map(line => line.replace(/^\d+: /, '')), ['claims 0', 'releases 0'], `another peer ${other} it`)
  }
  t.end()
})

test('nobody waits long for a claim without work', async t => {
  const { log, until, changed, scheduler } = play(t, { pieceCount: 2, workMs: 5_000, fetchMs: Infinity })
  changed()
  await until(60_000)
  t.same(log, ['1: claims 0', '10001: releases 0'], 'its slice does not come, but is wanted still')
  t.ok(scheduler.isWaiting(0))
  t.end()
})

test('slices that nobody offers keep nobody from the others', async t => {
  let absent = 1
  const { log, until, changed } = play(t, { pieceCount: 3, workMs: 100, others: piece => piece <= absent ? 'absent' : 'none' })
  changed()
  await until(1_000)
  t.same(log, ['1: claims 2', '1: fetches 2', '102: starts 2'])
  absent = -1
  changed()
  await until(2_000)
  t.same(log.slice(3), ['1001: claims 0 1', '1001: fetches 0', '1001: fetches 1', '1102: starts 0', '1202: starts 1'])
  t.end()
})

test('a slice that another peer is likely to fetch is fetched when that peer has not objected', async t => {
  const { log, until, changed, scheduler, work } = play(t, { pieceCount: 9, workMs: 1_000 })
  scheduler.setMember(PEER, true)
  scheduler.next()
  const theirs = Array.from({ length: 9 }, (_, index) => index).filter(index => !scheduler.isFirst(index))
  for (let index = 0; index < 9; index++) if (!theirs.includes(index)) scheduler.setMissing(index, false)
  changed()
  await until(50)
  const [piece, next] = [theirs.at(-1)!, theirs.at(-2)!]
  t.same(log, [`1: claims ${piece}`], 'from the other end than the other peer')
  const source = new ClaimSource({ limit: 9 })
  scheduler.claims.add(source, PEER, { index: piece, elapsedMs: 0, estimateMs: 0, isBackup: false })
  work.abort(piece, 'another peer computes it')
  changed()
  await until(500)
  t.same(log.slice(1, 4), [`50: releases ${piece}`, `51: claims ${next}`, `152: fetches ${next}`])
  t.notOk(log.some(line => line.includes(`fetches ${piece}`)))
  t.end()
})

test('what is computed whether or not others have it is not claimed for its slice', async t => {
  const { log, until, changed, scheduler } = play(t, { pieceCount: 1, workMs: 1_000 })
  scheduler.setMissing(0, false)
  scheduler.checks.add(0)
  changed()
  await until(500)
  t.same(log, ['1: fetches 0', '102: claims 0', '102: starts 0'])
  t.end()
})

test('how far ahead slices are fetched', t => {
  const some = { slots: 2, paceMs: 10, fetchMs: 100, here: 3, share: 100, fetched: 1_000 }
  const lead = (paceMs: number, fetchMs: number): number => leadMs({ ...some, paceMs, fetchMs })
  t.deepEqual([lead(0, 0), lead(10, 100), lead(10, 9_000), lead(5_000, 9_000)], [200, 350, 1_000, 5_000])
  t.deepEqual([100, 101].map(fetchMs => leadMs({ ...some, paceMs: 400, fetchMs, share: 2 })), [0, 351.5], 'the last one')
  t.deepEqual([100, 5, 2].map(share => slicesDue(9, { ...some, share })), [9, 2, 0], 'no more than the share of each peer')
  t.deepEqual([0, 45, 90].map(fetched => slicesDue(9, { ...some, fetched })), [1, 6, 9], 'few in vain')
  const first = { ...some, paceMs: 0 }
  t.deepEqual([0, 1, 2].map(here => slicesDue(0, { ...first, here, share: 5 })), [2, 1, 0], 'one ahead if plenty is left')
  t.equal(slicesDue(0, { ...first, here: 0, share: 4 }), 0, 'and none otherwise')
  t.end()
})

test('what to fetch next: rather nothing that others are about to compute', t => {
  const waiting: WaitingPiece[] = [
    { index: 9, lacks: [90, 91], doubt: 2 },
    { index: 1, lacks: [10], doubt: 0 },
    { index: 8, lacks: [80], doubt: 1 },
    { index: 2, lacks: [], doubt: 0 },
    { index: 3, lacks: null, doubt: 0 },
    { index: 4, lacks: [40], doubt: 0 }
  ]
  const of = (room: number): number[] => choosePieces(waiting, room).map(({ index }) => index)
  t.deepEqual(of(3), [1, 2, 3], 'in their order, those that are sure first')
  t.deepEqual(of(5), [1, 2, 3, 4, 8], 'then one in which another peer comes first')
  t.deepEqual(of(9), [1, 2, 3, 4, 8, 9], 'then what another peer has')
  t.deepEqual(of(-1), [])
  t.end()
})
