import test from 'tape'
import { IndexSet } from '../lib/index-set.ts'
import { MAX_ATTEMPTS, PATIENCE_MS, RETRY_MS, Scheduler } from '../lib/scheduler.ts'

/** Random numbers from a seed, so that a red run can be replayed (mulberry32). */
function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const first = (): number => 0
const noTime = (): number => 0

test('index set: add, delete, pick', t => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`SEED=${seed}`)
  const random = seeded(seed)
  const set = new IndexSet(50)
  const model = new Set<number>()
  for (let i = 0; i < 2000; i++) {
    const index = Math.floor(random() * 50)
    const isMember = random() < 0.5
    set.set(index, isMember)
    if (isMember) model.add(index)
    else model.delete(index)
  }
  t.same([...set].sort((a, b) => a - b), [...model].sort((a, b) => a - b), 'agrees with a Set')
  t.equal(set.size, model.size)
  const picked = set.pick(random)
  t.ok(picked !== undefined && model.has(picked), 'picks a member')
  t.equal(new IndexSet(3).pick(random), undefined, 'an empty set has none')
  t.end()
})

test('every piece is taken exactly once', t => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`SEED=${seed}`)
  const scheduler = new Scheduler(100, seeded(seed), noTime)
  const taken: number[] = []
  for (let index = scheduler.next()?.index; index !== undefined; index = scheduler.next()?.index) {
    scheduler.start(index)
    taken.push(index)
    scheduler.stop(index)
    scheduler.setMissing(index, false)
  }
  t.equal(new Set(taken).size, 100)
  t.notSame(taken, taken.toSorted((a, b) => a - b), 'in random order')
  t.equal(scheduler.missing, 0)
  t.end()
})

test('what is not taken', t => {
  const peer = {}
  const other = {}
  const rules: Array<[string, (s: Scheduler) => void, (s: Scheduler) => void]> = [
    ['stored', s => { s.setMissing(0, false) }, s => { s.setMissing(0, true) }],
    ['held by a connected peer', s => { s.setAvailable(0, true) }, s => { s.setAvailable(0, false) }],
    ['claimed', s => { s.claim(peer, 0) }, s => { s.release(peer, 0) }],
    ['claimed by a peer that leaves', s => { s.claim(peer, 0) }, s => { s.removePeer(peer) }],
    ['claimed twice', s => { s.claim(peer, 0); s.claim(other, 0); s.release(peer, 0) }, s => { s.release(other, 0) }],
    ['not wanted', s => { s.setWanted(0, false) }, s => { s.setWanted(0, true) }],
    ['running', s => { s.start(0) }, s => { s.stop(0) }]
  ]
  for (const [name, exclude, include] of rules) {
    const scheduler = new Scheduler(1, first, noTime)
    exclude(scheduler)
    t.equal(scheduler.next()?.index, undefined, `a piece that is ${name}`)
    include(scheduler)
    t.equal(scheduler.next()?.index, 0, 'but once it is not')
  }
  t.end()
})

test('pieces that a reader waits for come first', t => {
  const scheduler = new Scheduler(10, first, noTime)
  scheduler.setUrgent(7, true)
  scheduler.setUrgent(3, true)
  t.equal(scheduler.next()?.index, 7)
  scheduler.start(7)
  t.equal(scheduler.next()?.index, 3)
  scheduler.setUrgent(3, false)
  t.equal(scheduler.next()?.index, 0)
  t.end()
})

test('a failing piece is tried again later, then left to others', t => {
  let now = 0
  const scheduler = new Scheduler(1, first, () => now)
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    scheduler.start(scheduler.next()!.index)
    t.equal(scheduler.fail(0), false)
    t.equal(scheduler.next(), undefined, 'not at once')
    const due = now + RETRY_MS * 4 ** (attempt - 1)
    t.equal(scheduler.wakeAt(), due)
    now = due - 1
    t.equal(scheduler.next(), undefined)
    t.same(scheduler.hopeless(), [], 'still hope')
    now = due
    t.equal(scheduler.next()?.index, 0)
  }
  scheduler.start(0)
  t.equal(scheduler.fail(0), true, 'given up')
  now = 1e9
  t.equal(scheduler.next(), undefined)
  t.equal(scheduler.wakeAt(), Infinity)
  t.equal(scheduler.givenUp, 1)
  t.same(scheduler.hopeless(), [0])
  scheduler.claim({}, 0)
  t.same(scheduler.hopeless(), [], 'somebody else computes it')
  t.end()
})

test('promises are not waited for without end', t => {
  let now = 0
  const liar = {}
  const scheduler = new Scheduler(3, first, () => now)
  scheduler.claim(liar, 0)
  scheduler.setAvailable(1, true)
  scheduler.start(2)
  now = 10_000
  scheduler.release(liar, 0)
  scheduler.claim(liar, 0)
  scheduler.setMissing(2, false)
  scheduler.stop(2)
  t.equal(scheduler.next(), undefined, 'patience')
  t.equal(scheduler.wakeAt(), 10_000 + PATIENCE_MS, 'counted from the last progress')
  now = 10_000 + PATIENCE_MS
  t.same(scheduler.next(), { index: 0, isBackup: true }, 'a claim that was made again is as old as the first')
  scheduler.start(0)
  t.same(scheduler.next(), { index: 1, isBackup: true }, 'nor is what somebody has and does not send')
  scheduler.stop(0)
  scheduler.setPace(PATIENCE_MS)
  t.equal(scheduler.next(), undefined, 'longer where pieces take long')
  t.end()
})

test('a promised piece that cannot run here wakes nobody', t => {
  const rules: Array<[string, (s: Scheduler) => void]> = [
    ['not wanted', s => { s.setWanted(0, false) }],
    ['running', s => { s.start(0) }],
    ['given up', s => {
      for (let i = 0; i < MAX_ATTEMPTS; i++) {
        now += PATIENCE_MS
        s.start(s.next()!.index)
        s.fail(0)
      }
    }]
  ]
  let now = 0
  for (const [name, exclude] of rules) {
    const scheduler = new Scheduler(1, first, () => now)
    exclude(scheduler)
    scheduler.setAvailable(0, true)
    now += 2 * PATIENCE_MS
    t.equal(scheduler.next(), undefined)
    t.equal(scheduler.wakeAt(), Infinity, name)
  }
  t.end()
})

test('what a reader waits for is wanted', t => {
  const scheduler = new Scheduler(2, first, noTime)
  for (const index of [0, 1]) scheduler.setWanted(index, false)
  scheduler.setUrgent(1, true)
  t.ok(scheduler.isWanted(1))
  t.equal(scheduler.next()?.index, 1)
  scheduler.setUrgent(1, false)
  t.equal(scheduler.next(), undefined)
  t.end()
})
