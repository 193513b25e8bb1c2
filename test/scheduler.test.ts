import test from 'tape'
import { IndexSet } from '../lib/index-set.ts'
import { MAX_ATTEMPTS, RETRY_MS, Scheduler } from '../lib/scheduler.ts'

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
  const scheduler = new Scheduler(100, seeded(seed))
  const taken: number[] = []
  for (let index = scheduler.next(0); index !== undefined; index = scheduler.next(0)) {
    scheduler.start(index, 0)
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
    ['running', s => { s.start(0, 0) }, s => { s.stop(0) }]
  ]
  for (const [name, exclude, include] of rules) {
    const scheduler = new Scheduler(1, first)
    exclude(scheduler)
    t.equal(scheduler.next(0), undefined, `a piece that is ${name}`)
    include(scheduler)
    t.equal(scheduler.next(0), 0, 'but once it is not')
  }
  t.end()
})

test('pieces that a reader waits for come first', t => {
  const scheduler = new Scheduler(10, first)
  scheduler.setUrgent(7, true)
  scheduler.setUrgent(3, true)
  t.equal(scheduler.next(0), 7)
  scheduler.start(7, 0)
  t.equal(scheduler.next(0), 3)
  scheduler.setUrgent(3, false)
  t.equal(scheduler.next(0), 0)
  t.end()
})

test('a failing piece is tried again later, then left to others', t => {
  const scheduler = new Scheduler(1, first)
  let now = 0
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    scheduler.start(scheduler.next(now)!, now)
    t.equal(scheduler.fail(0, now), false)
    t.equal(scheduler.next(now), undefined, 'not at once')
    const due = now + RETRY_MS * 4 ** (attempt - 1)
    t.equal(scheduler.wakeAt(), due)
    t.equal(scheduler.next(due - 1), undefined)
    t.same(scheduler.hopeless(), [], 'still hope')
    now = due
    t.equal(scheduler.next(now), 0)
  }
  scheduler.start(0, now)
  t.equal(scheduler.fail(0, now), true, 'given up')
  t.equal(scheduler.next(Infinity), undefined)
  t.equal(scheduler.wakeAt(), Infinity)
  t.equal(scheduler.givenUp, 1)
  t.same(scheduler.hopeless(), [0])
  scheduler.claim({}, 0)
  t.same(scheduler.hopeless(), [], 'somebody else computes it')
  t.end()
})
