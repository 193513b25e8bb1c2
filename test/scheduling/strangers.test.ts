// What peers that never delivered anything say of their work must not leave a slot idle that has nothing better to do.
import test from 'tape'
import { ClaimSource } from '../../lib/scheduling/claimants.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'

const SQUATTER = '11'.repeat(20)
const SQUATTED = 8
const ENDLESS = 2 ** 32 - 1

interface Words { elapsedMs: number, estimateMs: number }

interface Case { scheduler: Scheduler, squatter: ClaimSource, wait: (ms: number) => void }

/** A peer that lacks nothing but what the squatter claims. */
function create (words: Words, paceMs: number, isProven = false): Case {
  let now = 0
  const scheduler = new Scheduler({
    pieceCount: SQUATTED + 1, peerId: '00'.repeat(20), random: () => 0.5, now: () => now
  })
  if (paceMs > 0) scheduler.setPace(paceMs)
  const squatter = new ClaimSource({ limit: 64 })
  if (isProven) scheduler.claims.delivered(SQUATTER, [squatter])
  for (let index = 0; index < SQUATTED; index++) {
    scheduler.claims.add(squatter, SQUATTER, { index, isBackup: false, ...words })
  }
  scheduler.setMissing(SQUATTED, false)
  return { scheduler, squatter, wait: ms => { now += ms } }
}

const WORDS: Array<[what: string, words: Words]> = [
  ['at work for weeks', { elapsedMs: 2 ** 31, estimateMs: 1_000 }],
  ['at work for weeks, and for as long again', { elapsedMs: 2 ** 31, estimateMs: ENDLESS }],
  ['at work for weeks on what takes a moment', { elapsedMs: ENDLESS, estimateMs: 1 }],
  ['just begun, done at once', { elapsedMs: 0, estimateMs: 1 }],
  ['just begun, never done', { elapsedMs: 0, estimateMs: ENDLESS }],
  ['just begun, unknown', { elapsedMs: 0, estimateMs: 0 }],
  ['at work for weeks, unknown', { elapsedMs: ENDLESS, estimateMs: 0 }]
]

test('an idle peer computes pieces that strangers claim, whatever their estimates', t => {
  for (const [what, words] of WORDS) {
    const known = create(words, 2_000)
    known.wait(2_000 + 600 + 100)
    t.notEqual(known.scheduler.next(), undefined, `${what}: after what a piece takes`)
    const newborn = create(words, 0)
    t.equal(newborn.scheduler.next(), undefined, `${what}: a newcomer lets others go first`)
    t.ok(newborn.scheduler.wakeAt() <= 4_500, 'and is woken')
    newborn.wait(4_500)
    t.notEqual(newborn.scheduler.next(), undefined, `${what}: a newcomer after a few seconds`)
  }
  t.end()
})

test('how late most are is not for strangers to say', t => {
  for (const isProven of [false, true]) {
    for (const [what, words] of WORDS) {
      const { scheduler, squatter } = create(words, 2_000, isProven)
      // it pretends to be done with everything, far too late
      const indices = Array.from({ length: SQUATTED }, (_, index) => index)
      for (let i = 0; i < 8; i++) {
        for (const index of indices) scheduler.claims.add(squatter, SQUATTER, { index, isBackup: false, ...words })
        scheduler.claims.fulfil(squatter, indices)
      }
      t.equal(
        scheduler.lateness.usual([]), 0, `${what}: ${isProven ? 'a peer that delivered says it' : 'a stranger says it'}`
      )
    }
  }
  t.end()
})

test('what a banned peer claims is computed, whoever relays the claim, until that peer delivers', t => {
  const { scheduler, squatter } = create({ elapsedMs: 0, estimateMs: 1_000 }, 2_000, true)
  const relay = new ClaimSource({ limit: 64, kind: 'relay' })
  const claim = { index: 0, isBackup: false, elapsedMs: 0, estimateMs: 1_000 }
  scheduler.claims.add(relay, SQUATTER, claim)
  t.equal(scheduler.next(), undefined, 'it claims all that is missing')
  scheduler.claims.ban(SQUATTER)
  scheduler.claims.removeSource(squatter)
  t.ok(scheduler.claims.get(SQUATTER, 0), 'the relay still says it')
  t.notOk(scheduler.claims.isClaimed(0))
  scheduler.claims.add(relay, SQUATTER, { ...claim, index: 1 })
  t.notOk(scheduler.claims.isClaimed(1), 'nor what it claims later')
  t.notEqual(scheduler.next(), undefined)
  scheduler.claims.delivered(SQUATTER, [relay])
  scheduler.claims.add(relay, SQUATTER, claim)
  t.ok(scheduler.claims.isClaimed(0), 'somebody else had used its peer id')
  t.end()
})
