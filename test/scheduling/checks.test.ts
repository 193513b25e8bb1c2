// Checks: what is computed although there is a result, in which order, and how many of them.
import test from 'tape'
import { ClaimSource } from '../../lib/scheduling/claimants.ts'
import { Holder } from '../../lib/scheduling/holder.ts'
import { MAX_ATTEMPTS } from '../../lib/scheduling/failures.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import type { Choice, SchedulerOptions } from '../../lib/scheduling/scheduler.ts'

const PEER = '11'.repeat(20)

function create (pieceCount: number, opts: Partial<SchedulerOptions> = {}): Scheduler {
  return new Scheduler({ pieceCount, peerId: '00'.repeat(20), random: () => 0, now: () => 0, ...opts })
}

/** Computes what is next, and stores it if it was missing. */
function compute (scheduler: Scheduler): Choice | undefined {
  const choice = scheduler.next()
  if (choice === undefined) return undefined
  scheduler.start(choice.index, choice.kind)
  scheduler.computed(choice.index)
  scheduler.setMissing(choice.index, false)
  return choice
}

test('checks have their share of the items while pieces are missing, and the idle slots at the end', t => {
  const scheduler = create(60, { checkShare: () => 0.25 })
  for (let index = 0; index < 20; index++) {
    scheduler.setMissing(index, false)
    scheduler.checks.add(index)
  }
  const kinds: string[] = []
  for (let i = 0; i < 40; i++) kinds.push(compute(scheduler)!.kind)
  t.equal(kinds.filter(kind => kind === 'check').length, 10)
  for (let n = 1; n <= 40; n++) {
    const checks = kinds.slice(0, n).filter(kind => kind === 'check').length
    if (checks > n / 4 + 1) t.fail(`${checks} of the first ${n}`)
  }
  const rest: string[] = []
  for (let choice = compute(scheduler); choice !== undefined; choice = compute(scheduler)) rest.push(choice.kind)
  t.same([rest.length, rest.lastIndexOf('piece')], [20, 12], 'each check once, the rest of them last')
  t.end()
})

test('no check before any item, and none for nothing', t => {
  const scheduler = create(3, { checkShare: () => 0.1 })
  scheduler.setMissing(0, false)
  scheduler.checks.add(0)
  t.equal(scheduler.next()!.kind, 'piece')
  const without = create(2)
  without.setMissing(0, false)
  without.checks.add(0)
  compute(without)
  t.same(without.next(), { index: 0, kind: 'check' }, 'with no share, at the end')
  t.end()
})

test('a reader goes before a check', t => {
  const scheduler = create(4, { checkShare: () => 1 })
  compute(scheduler)
  scheduler.checks.add(0)
  scheduler.setUrgent(3, true)
  scheduler.start(2)
  t.same(scheduler.next(), { index: 3, kind: 'piece' })
  scheduler.setUrgent(3, false)
  t.same(scheduler.next(), { index: 0, kind: 'check' })
  t.end()
})

test('a check waits for nobody else', t => {
  const scheduler = create(2, { checkShare: () => 1 })
  scheduler.setMissing(1, false)
  scheduler.start(1)
  scheduler.computed(1)
  scheduler.deliveries.announced(new Holder(), 0, 10)
  scheduler.claims.add(new ClaimSource({ limit: 9 }), PEER, { index: 0, elapsedMs: 0, estimateMs: 9, isBackup: false })
  t.equal(scheduler.next(), undefined, 'announced, and claimed')
  scheduler.checks.add(0)
  scheduler.start(1)
  t.same(scheduler.next(), { index: 0, kind: 'check' })
  scheduler.start(0, 'check')
  t.equal(scheduler.next(), undefined, 'it runs')
  scheduler.stop(0)
  t.same(scheduler.next(), { index: 0, kind: 'check' }, 'it was killed, so there is no result')
  scheduler.start(0, 'check')
  scheduler.computed(0)
  t.notOk(scheduler.checks.has(0), 'it has a result, whether or not the piece is stored')
  t.end()
})

test('a piece that is computed anyway needs no check', t => {
  const scheduler = create(1)
  scheduler.checks.add(0)
  t.equal(compute(scheduler)!.kind, 'piece')
  t.equal(scheduler.next(), undefined)
  t.end()
})

test('a check that fails is tried again, and dropped in the end', t => {
  let now = 0
  const scheduler = create(1, { now: () => now })
  scheduler.setMissing(0, false)
  scheduler.checks.add(0)
  for (let i = 1; i <= MAX_ATTEMPTS; i++) {
    t.same(scheduler.next(), { index: 0, kind: 'check' })
    scheduler.start(0, 'check')
    scheduler.fail(0)
    t.equal(scheduler.next(), undefined)
    if (i < MAX_ATTEMPTS) now = scheduler.wakeAt()
  }
  t.equal(scheduler.wakeAt(), Infinity)
  t.notOk(scheduler.checks.has(0))
  t.end()
})

test('what is stored and not believed is computed when nothing is missing', t => {
  const scheduler = create(4)
  for (let index = 0; index < 3; index++) scheduler.setMissing(index, false)
  scheduler.checks.setAccepted(1, false)
  scheduler.checks.setAccepted(2, false)
  t.same(compute(scheduler), { index: 3, kind: 'piece' })
  const source = new ClaimSource({ limit: 9 })
  scheduler.claims.add(source, PEER, { index: 1, elapsedMs: 0, estimateMs: 9, isBackup: true })
  t.same(scheduler.next(), { index: 2, kind: 'check' }, 'the other one is being computed by somebody')
  scheduler.checks.setAccepted(2, true)
  t.equal(scheduler.next(), undefined)
  scheduler.claims.abandon(source, PEER, 1)
  scheduler.checks.setAccepted(2, false)
  scheduler.setUrgent(2, true)
  t.same(scheduler.next(), { index: 2, kind: 'check' }, 'a reader waits for this one')
  scheduler.setMissing(2, true)
  t.same(scheduler.next(), { index: 2, kind: 'piece' }, 'it is gone')
  t.end()
})

test('while an attestation is asked for, the piece counts as claimed', t => {
  const scheduler = create(1)
  scheduler.checks.setAsked(0, true)
  t.equal(scheduler.next(), undefined)
  scheduler.checks.setAsked(0, false)
  t.same(scheduler.next(), { index: 0, kind: 'piece' })
  t.end()
})

test('the inputs of a second opinion are fetched, after those of missing pieces', t => {
  const scheduler = create(3, { needsInputs: true })
  for (const index of [0, 1]) scheduler.setMissing(index, false)
  t.same([...scheduler.waiting(5)], [2])
  t.notOk(scheduler.isDue(0))
  scheduler.checks.setAccepted(0, false)
  scheduler.checks.setLook(1, true)
  t.same([...scheduler.waiting(1)], [2])
  t.same([...scheduler.waiting(5)].sort((a, b) => a - b), [0, 1, 2])
  t.ok(scheduler.isDue(0) && scheduler.isDue(1))
  t.equal(scheduler.next(), undefined)
  scheduler.setReady(0, true)
  t.same(scheduler.next(), { index: 0, kind: 'check' })
  scheduler.checks.setLook(1, false)
  t.same([...scheduler.waiting(5)], [2])
  t.end()
})

test('the inputs of a check are fetched', t => {
  const scheduler = create(2, { needsInputs: true })
  scheduler.setMissing(0, false)
  scheduler.checks.add(0)
  t.same([...scheduler.waiting(5)], [0, 1])
  t.equal(scheduler.next(), undefined)
  scheduler.setReady(0, true)
  t.same([...scheduler.waiting(5)], [1])
  t.same(scheduler.next(), { index: 0, kind: 'check' })
  t.end()
})
