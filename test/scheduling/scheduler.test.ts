import test from 'tape'
import { IndexSet } from '../../lib/base/index-set.ts'
import { ClaimSource } from '../../lib/scheduling/claimants.ts'
import { MIN_PATIENCE_MS } from '../../lib/scheduling/delivery-forecast.ts'
import { MAX_ATTEMPTS, RETRY_MS } from '../../lib/scheduling/failures.ts'
import { MIN_GRACE_MS } from '../../lib/scheduling/grace.ts'
import { Holder } from '../../lib/scheduling/holder.ts'
import { Ranking } from '../../lib/scheduling/ranking.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'

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
const SELF = '00'.repeat(20)
const PEER = '11'.repeat(20)
const OTHER = '22'.repeat(20)

function create (pieceCount: number, random: () => number, now: () => number): Scheduler {
  return new Scheduler({ pieceCount, peerId: SELF, random, now })
}

function claim (
  index: number, estimateMs = 0, elapsedMs = 0
): { index: number, elapsedMs: number, estimateMs: number, isBackup: boolean } {
  return { index, elapsedMs, estimateMs, isBackup: false }
}

test('index set: add, delete', t => {
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
  t.end()
})

test('every piece is taken exactly once', t => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`SEED=${seed}`)
  const scheduler = create(100, seeded(seed), noTime)
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
  const peer = new ClaimSource({ limit: 9 })
  const other = new ClaimSource({ limit: 9 })
  const holder = new Holder()
  const rules: Array<[string, (s: Scheduler) => void, (s: Scheduler) => void]> = [
    [
      'stored',
      s => {
        s.setMissing(0, false)
      },
      s => {
        s.setMissing(0, true)
      }
    ],
    [
      'held by a connected peer',
      s => {
        s.deliveries.announced(holder, 0, 1)
      },
      s => {
        s.deliveries.withdrawn(holder, 0)
      }
    ],
    [
      'claimed',
      s => {
        s.claims.add(peer, PEER, claim(0))
      },
      s => {
        s.claims.remove(peer, PEER, 0)
      }
    ],
    [
      'claimed by a peer that leaves',
      s => {
        s.claims.add(peer, PEER, claim(0))
      },
      s => {
        s.claims.removeSource(peer)
      }
    ],
    [
      'claimed twice',
      s => {
        s.claims.add(peer, PEER, claim(0))
        s.claims.add(other, OTHER, claim(0))
        s.claims.remove(peer, PEER, 0)
      },
      s => {
        s.claims.remove(other, OTHER, 0)
      }
    ],
    [
      'not wanted',
      s => {
        s.setWanted(0, false)
      },
      s => {
        s.setWanted(0, true)
      }
    ],
    [
      'running',
      s => {
        s.start(0)
      },
      s => {
        s.stop(0)
      }
    ]
  ]
  for (const [name, exclude, include] of rules) {
    const scheduler = create(1, first, noTime)
    exclude(scheduler)
    t.equal(scheduler.next()?.index, undefined, `a piece that is ${name}`)
    include(scheduler)
    t.equal(scheduler.next()?.index, 0, 'but once it is not')
  }
  t.end()
})

test('a piece that a reader waits for keeps its place when its slot is given up', t => {
  const scheduler = create(30, seeded(1), () => 0)
  for (const index of [4, 5, 6]) scheduler.setUrgent(index, true)
  const { index } = scheduler.next()!
  scheduler.start(index)
  scheduler.stop(index)
  t.deepEqual([index, scheduler.next()!.index], [4, 4])
  t.end()
})

test('pieces that a reader waits for come first', t => {
  const scheduler = create(10, first, noTime)
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
  const scheduler = create(1, first, () => now)
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
  scheduler.claims.add(new ClaimSource({ limit: 1 }), PEER, claim(0))
  t.same(scheduler.hopeless(), [], 'somebody else computes it')
  t.end()
})

test('pieces that others announce and do not send are not waited for without end', t => {
  let now = 0
  const scheduler = create(2, first, () => now)
  const holder = new Holder()
  scheduler.deliveries.announced(holder, 0, 1000)
  scheduler.start(1)
  now = 5_000
  t.equal(scheduler.next(), undefined)
  t.equal(scheduler.wakeAt(), Infinity, 'nothing was asked')
  scheduler.deliveries.asked(holder)
  t.equal(scheduler.next(), undefined, 'patience')
  t.equal(scheduler.wakeAt(), 5_000 + MIN_PATIENCE_MS)
  scheduler.setMissing(1, false)
  t.equal(scheduler.wakeAt(), 5_000 + MIN_PATIENCE_MS, 'whatever else makes progress')
  now = 5_000 + MIN_PATIENCE_MS
  t.same(scheduler.next(), { index: 0, kind: 'piece' })
  scheduler.deliveries.withdrawn(holder, 0)
  scheduler.deliveries.announced(new Holder(), 0, 1000)
  t.same(scheduler.next(), { index: 0, kind: 'piece' }, 'an announcement that was made again is as old as the first')
  t.end()
})

test('a piece that is announced but not expected has a moment of grace', t => {
  let now = 0
  const scheduler = create(20, first, () => now)
  const holder = new Holder()
  for (let index = 0; index < 20; index++) scheduler.deliveries.announced(holder, index, 1000)
  t.equal(scheduler.next(), undefined)
  t.equal(scheduler.wakeAt(), MIN_GRACE_MS)
  now = MIN_GRACE_MS
  t.ok(scheduler.next()!.index >= 8, 'what is beyond the credit of a newcomer')
  scheduler.claims.add(new ClaimSource({ limit: 99 }), PEER, claim(8))
  t.notEqual(scheduler.next()!.index, 8, 'and claimed by nobody else')
  t.end()
})

test('rendezvous order: peers that know of each other begin with different pieces', t => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`SEED=${seed}`)
  const random = seeded(seed)
  const ids = Array.from({ length: 8 }, () =>
    Array.from({ length: 40 }, () => Math.floor(random() * 16).toString(16)).join('')
  )
  const order = ids.map(id => {
    const scheduler = new Scheduler({ pieceCount: 800, peerId: id, random, now: noTime })
    for (const other of ids) if (other !== id) scheduler.setMember(other, true)
    return Array.from({ length: 50 }, () => {
      const { index } = scheduler.next()!
      scheduler.start(index)
      return index
    })
  })
  t.equal(new Set(order.flat()).size, 400, 'no piece twice among the first half of all')
  t.end()
})

test('a member that leaves is no longer reckoned with, and ranks are as if it had never been there', t => {
  const [with3, without] = [create(100, first, noTime), create(100, first, noTime)]
  for (const scheduler of [with3, without]) scheduler.setMember(PEER, true)
  with3.setMember(OTHER, true)
  with3.setMember(OTHER, false)
  const order = [with3, without].map(scheduler => Array.from({ length: 100 }, () => {
    const { index } = scheduler.next()!
    scheduler.start(index)
    return index
  }))
  t.same(order[0], order[1])
  t.end()
})

test('idle peers back up claims that are late or slow, with few copies', t => {
  let now = 0
  const source = new ClaimSource({ limit: 64 })
  const scheduler = create(2, first, () => now)
  scheduler.setPace(1000)
  scheduler.claims.add(source, PEER, claim(0, 1000))
  scheduler.claims.add(source, PEER, claim(1, 9000))
  t.same(scheduler.next(), { index: 1, kind: 'backup' }, 'a slow peer is expected to need far longer than we do')
  scheduler.start(1)
  t.equal(scheduler.next(), undefined, 'one that is as fast as we are is not late yet')
  now = scheduler.wakeAt()
  t.ok(now > 1000 && now < 2000, `woken at ${now}`)
  t.same(scheduler.next(), { index: 0, kind: 'backup' }, 'late')
  scheduler.claims.add(source, OTHER, { ...claim(0, 1000), isBackup: true })
  scheduler.claims.add(source, '33'.repeat(20), { ...claim(0, 1000), isBackup: true })
  now = 2500
  t.equal(scheduler.next(), undefined, 'three copies are enough')
  t.end()
})

test('a newcomer has credit for a few claims, more with what it delivers', t => {
  const source = new ClaimSource({ limit: 64 })
  const scheduler = create(64, first, noTime)
  for (let index = 0; index < 64; index++) scheduler.claims.add(source, PEER, claim(index))
  t.equal(claimed(scheduler), 8)
  scheduler.claims.delivered(PEER, [source])
  for (let index = 0; index < 64; index++) scheduler.claims.add(source, PEER, claim(index))
  t.equal(claimed(scheduler), 10, 'at the renewal')
  t.end()
})

function claimed (scheduler: Scheduler): number {
  return [...scheduler.claims].length
}

test('claims lapse, and a peer that lets them lapse is ignored', t => {
  let now = 0
  const source = new ClaimSource({ limit: 64 })
  const scheduler = create(10, first, () => now)
  for (let index = 0; index < 4; index++) scheduler.claims.add(source, PEER, claim(index, 60_000))
  t.equal(claimed(scheduler), 4)
  now = 1000
  scheduler.setPace(1000)
  now = 2999
  scheduler.next()
  t.equal(claimed(scheduler), 4, "a stranger's estimate does not count, but three times our own pace does")
  now = 3000
  scheduler.next()
  t.equal(claimed(scheduler), 0)
  scheduler.claims.add(source, PEER, claim(9))
  t.equal(claimed(scheduler), 0, 'disregarded')
  scheduler.claims.delivered(PEER, [source])
  scheduler.claims.add(source, PEER, claim(9, 5000))
  t.equal(claimed(scheduler), 1, 'until it delivers')
  now = 17_000
  scheduler.next()
  t.equal(claimed(scheduler), 1, 'then its estimate counts')
  now = 18_000
  scheduler.next()
  t.equal(claimed(scheduler), 0)
  t.end()
})

test('claims that are released late, over and over, are no better than lapsed ones', t => {
  let now = 0
  const source = new ClaimSource({ limit: 64 })
  const scheduler = create(10, first, () => now)
  scheduler.setPace(10_000)
  for (let round = 0; round < 2; round++) {
    scheduler.claims.add(source, PEER, claim(round))
    t.equal(claimed(scheduler), 1)
    now += 9000
    scheduler.claims.abandon(source, PEER, round)
  }
  scheduler.claims.add(source, PEER, claim(5))
  t.equal(claimed(scheduler), 0)
  t.end()
})

test('a peer that relays the claims of many neighbours has the credit of one newcomer until it delivers', t => {
  const relays = new ClaimSource({ limit: 1024, kind: 'relay' })
  const scheduler = create(100, first, noTime)
  const hear = (): void => {
    for (let index = 0; index < 100; index++) {
      scheduler.claims.add(relays, index.toString(16).padStart(40, '0'), claim(index))
    }
  }
  hear()
  t.equal(claimed(scheduler), 8)
  scheduler.claims.delivered(PEER, [relays])
  hear()
  t.equal(claimed(scheduler), 100)
  t.end()
})

test('a source ends its claims for many pieces at once', t => {
  const scheduler = create(10, first, noTime)
  const [source, other] = [new ClaimSource({ limit: 5 }), new ClaimSource({ limit: 5 })]
  for (const index of [1, 2, 3]) scheduler.claims.add(source, PEER, claim(index))
  scheduler.claims.add(other, OTHER, claim(2))
  scheduler.claims.fulfil(source, [0, 2, 3, 4])
  t.same([1, 2, 3].map(index => scheduler.claims.isClaimed(index)), [true, true, false])
  t.notOk(scheduler.claims.isRespected(PEER, 2), 'but not those of others')
  t.end()
})

test('one source may vouch for a limited number of claims', t => {
  const relays = new ClaimSource({ limit: 3 })
  const scheduler = create(10, first, noTime)
  for (let index = 0; index < 10; index++) {
    scheduler.claims.add(relays, index.toString(16).padStart(40, '0'), claim(index))
  }
  t.equal(claimed(scheduler), 3)
  scheduler.claims.removeSource(relays)
  t.equal(claimed(scheduler), 0)
  t.end()
})

test('beyond the claimants that are remembered, a claim still ends when it is withdrawn', t => {
  const { claims } = create(3, first, noTime)
  const crowd = new ClaimSource({ limit: 20_000, kind: 'relay' })
  const oldest = '0'.repeat(40)
  claims.add(crowd, oldest, claim(2))
  for (let i = 1; i < 10_000; i++) claims.add(crowd, i.toString(16).padStart(40, '0'), claim(0))
  const source = new ClaimSource({ limit: 1 })
  claims.add(source, PEER, claim(1))
  t.ok(claims.isClaimed(1))
  claims.remove(source, PEER, 1)
  t.notOk(claims.isClaimed(1), 'its own')
  claims.remove(crowd, oldest, 2)
  t.notOk(claims.isClaimed(2), 'and that of the one heard of first: it did not make room')
  t.end()
})

test('a promised piece that cannot run here wakes nobody', t => {
  const rules: Array<[string, (s: Scheduler) => void]> = [
    ['not wanted', s => { s.setWanted(0, false) }],
    ['running', s => { s.start(0) }],
    ['given up', s => {
      for (let i = 0; i < MAX_ATTEMPTS; i++) {
        now += 30_000
        s.start(s.next()!.index)
        s.fail(0)
      }
    }]
  ]
  let now = 0
  for (const [name, exclude] of rules) {
    const scheduler = create(1, first, () => now)
    exclude(scheduler)
    scheduler.deliveries.announced(new Holder(), 0, 1)
    now += 60_000
    t.equal(scheduler.next(), undefined)
    t.equal(scheduler.wakeAt(), Infinity, name)
  }
  t.end()
})

test('a piece that a reader waits for is wanted', t => {
  const scheduler = create(2, first, noTime)
  for (const index of [0, 1]) scheduler.setWanted(index, false)
  scheduler.setUrgent(1, true)
  t.ok(scheduler.isWanted(1))
  t.equal(scheduler.next()?.index, 1)
  scheduler.setUrgent(1, false)
  t.equal(scheduler.next(), undefined)
  t.end()
})

test('whether there is hope is known without a look at every piece', t => {
  let [now, looks] = [0, 0]
  const scheduler = new class extends Scheduler {
    override isWanted (index: number): boolean {
      looks++
      return super.isWanted(index)
    }
  }({ pieceCount: 1000, peerId: SELF, random: first, now: () => now })
  for (let index = 2; index < 1000; index++) scheduler.setWanted(index, false)
  scheduler.deliveries.announced(new Holder(), 0, 1)
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    scheduler.start(1)
    scheduler.fail(1)
    now += 1e6
  }
  looks = 0
  t.same([scheduler.hopeless(), looks], [[], 0], 'one piece is on its way')
  scheduler.setMissing(0, false)
  looks = 0
  t.same([scheduler.hopeless(), looks], [[1], 1])
  t.end()
})

test('however often peers come and go, the pieces are gone over now and then only', t => {
  const pieces = 500_000
  const ids = Array.from({ length: 10 }, (_, i) => String(i).repeat(40))
  const ranking = new Ranking(pieces, SELF)
  const ranks = (): number[] => Array.from({ length: 1000 }, (_, i) => ranking.rank(i * 500))
  for (const id of ids) t.ok(ranking.setMember(id, true))
  t.ok(ranks().every(rank => rank === 0), 'nothing happens at once')
  t.same([1, 2, 3].map(() => ranking.catchUp()), [false, false, true], 'and later four passes at a time')
  const settled = ranks()
  t.ok(settled.some(rank => rank > 5))
  for (let i = 0; i < 100_000; i++) ranking.setMember(ids[i % 10]!, Math.floor(i / 10) % 2 === 1)
  t.notOk(ranking.setMember(ids[0]!, true), 'who went and came back has changed nothing')
  t.ok(ranking.catchUp())
  t.same(ranks(), settled)
  t.end()
})

test('a piece that waits for its input', t => {
  let now = 0
  const scheduler = new Scheduler({ pieceCount: 4, peerId: SELF, random: first, now: () => now, needsInputs: true })
  t.equal(scheduler.next(), undefined, 'is not computed')
  t.deepEqual([scheduler.hasCandidates, scheduler.share], [false, 4])
  t.deepEqual([...scheduler.waiting(3)], [0, 1, 2], 'but those that come next are known')
  scheduler.setUrgent(3, true)
  t.deepEqual([...scheduler.waiting(3)], [3, 0, 1], 'readers first')
  t.deepEqual(scheduler.hopeless(), [], 'it has not failed')
  scheduler.setReady(2, true)
  t.deepEqual(scheduler.next(), { index: 2, kind: 'piece' }, 'what is ready is computed')
  t.deepEqual([...scheduler.waiting(9)], [3, 0, 1])
  scheduler.setMissing(0, false)
  scheduler.claims.add(new ClaimSource({ limit: 9 }), PEER, claim(1, 10))
  t.deepEqual([...scheduler.waiting(9)], [3], 'nobody waits for what is here, or computed elsewhere')
  now = 60_000
  t.deepEqual(scheduler.next(), { index: 2, kind: 'piece' })
  scheduler.start(2)
  t.equal(scheduler.next(), undefined, 'nor is a copy made of what is not ready')
  scheduler.setReady(1, true)
  t.ok(scheduler.next(), 'but then')
  scheduler.setReady(1, false)
  t.equal(scheduler.next(), undefined, 'and it can be gone again')
  scheduler.setReady(3, true)
  t.equal(scheduler.next()?.index, 3)
  t.equal(scheduler.share, 0)
  t.end()
})

test('pieces of a group have one rank', t => {
  const groups = Uint32Array.from({ length: 90 }, (_, index) => Math.floor(index / 10))
  const owners = [SELF, PEER, OTHER].map(peerId => {
    const ranking = new Ranking(90, peerId)
    for (const other of [SELF, PEER, OTHER]) if (other !== peerId) ranking.setMember(other, true)
    ranking.catchUp()
    ranking.setGroups(groups)
    ranking.catchUp()
    return Array.from(groups, (_, index) => ranking.rank(index))
  })
  for (let group = 0; group < 9; group++) {
    const ranks = owners.map(own => new Set(own.slice(10 * group, 10 * group + 10)))
    t.ok(ranks.every(each => each.size === 1), `one rank in group ${group}`)
    t.equal(new Set(owners.map(own => own[10 * group])).size, 3, 'and another for each peer')
  }
  const scheduler = new Scheduler({ pieceCount: 90, peerId: SELF, random: first, now: () => 5000, needsInputs: true })
  scheduler.setMember(PEER, true)
  scheduler.setMember(OTHER, true)
  scheduler.setGroups(groups)
  const next = [...scheduler.waiting(30)]
  t.ok(next.slice(0, 10).every(index => owners[0]![index] === 0), 'the own groups are first in line')
  t.end()
})
