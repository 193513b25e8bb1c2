// Runs of the compare command: how many at a time, and what follows if it cannot tell, hangs or may not run.
import test from 'tape'
import { killed } from '../../lib/executor/failures.ts'
import { Comparer } from '../../lib/session/comparer.ts'
import { SecondRuns } from '../../lib/session/second-runs.ts'
import type { Judgement, Judging } from '../../lib/store/types.ts'

const OWN = { size: 1, digest: new Uint8Array(32), draft: { hashInto: async () => {} }, ms: 20_000 }

interface Setup {
  comparer: Comparer
  /** end the runs that have begun, in order */
  runs: Array<(judgement: Judgement) => void>
  warnings: string[]
  /** fires all timers whose time is up */
  pass: (ms: number) => void
}

function setUp (compare?: (index: number) => Judging): Setup {
  let now = 0
  const timers = new Map<() => void, number>()
  const runs: Setup['runs'] = []
  const warnings: string[] = []
  const clock = {
    now: () => now,
    after: (ms: number, callback: () => void) => {
      timers.set(callback, now + ms)
      return () => { timers.delete(callback) }
    }
  }
  const started = (): Judging => {
    let reject: (err: Error) => void
    const done = new Promise<Judgement>((resolve, fail) => {
      runs.push(resolve)
      reject = fail
    })
    return { done, kill: () => { reject(killed()) }, pause () {}, resume () {} }
  }
  const store = { compare: compare ?? started }
  const comparer = new Comparer({ store, clock }, err => { warnings.push(err.message) })
  const pass = (ms: number): void => {
    now += ms
    for (const [callback, at] of timers) if (at <= now) callback()
  }
  return { comparer, runs, warnings, pass }
}

const tick = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

test('results are compared, as many at a time as there are slots', async t => {
  const { comparer, runs } = setUp()
  t.equal(await comparer.compare(0, OWN), 'stopped', 'not before commands may run')
  comparer.start(2, false)
  const compared = [0, 1, 2].map(async index => comparer.compare(index, OWN))
  t.equal(runs.length, 2)
  runs[1]!({ verdict: 'wrong' })
  t.equal(await compared[1], 'different')
  t.equal(runs.length, 3)
  comparer.pause()
  runs[0]!({ verdict: 'right', ms: 1 })
  runs[2]!({ verdict: 'right', ms: 1 })
  t.same(await Promise.all(compared), ['same', 'different', 'same'])
  const waiting = comparer.compare(3, OWN)
  await tick()
  t.equal(runs.length, 3, 'none starts in a pause')
  comparer.resume()
  const killedOnes = [waiting, ...[4, 5].map(async index => comparer.compare(index, OWN))]
  t.equal(runs.length, 5)
  comparer.stop()
  t.same(await Promise.all(killedOnes), ['stopped', 'stopped', 'stopped'])
})

test('a command that cannot tell is named once; one that takes longer than the piece is killed', async t => {
  const { comparer, runs, warnings, pass } = setUp()
  comparer.start(1, false)
  const compare = async (end: () => void): Promise<string> => {
    const compared = comparer.compare(0, OWN)
    end()
    return await compared
  }
  const unknown = (): void => { runs.at(-1)!({ verdict: 'unknown', why: new Error('no awk') }) }
  t.same([await compare(unknown), await compare(unknown)], ['unknown', 'unknown'])
  t.equal(await compare(() => { pass(19_999); runs.at(-1)!({ verdict: 'wrong' }) }), 'different', 'it has its time')
  t.same([await compare(unknown), await compare(unknown)], ['unknown', 'unknown'])
  t.same(warnings, [], 'not three times in a row')
  t.equal(await compare(() => { pass(20_000) }), 'unknown')
  t.equal(await compare(unknown), 'unknown')
  t.equal(warnings.length, 1)
  t.match(warnings[0]!, /compare command cannot tell .* \(it takes more than 20 s\)/)
})

test('a store that is closed, or runs no commands, says nothing of anybody', async t => {
  const { comparer } = setUp(() => { throw new Error('closed') })
  comparer.start(1, false)
  t.equal(await comparer.compare(0, OWN), 'stopped')
})

test('a difference is sure when a second run finds it, too; after two such pieces, at once', t => {
  const runs = new SecondRuns(false)
  t.same([runs.differs(0), runs.differs(0)], [false, true])
  runs.differs(1)
  runs.forget(1)
  t.same([runs.differs(1), runs.differs(1)], [false, true], 'a machine that errs')
  t.ok(runs.differs(2))
  t.end()
})
