// When the verify command is given up, and when a run of it has taken too long.
import test from 'tape'
import { CommandError } from '../../lib/base/errors.ts'
import { killed } from '../../lib/executor/failures.ts'
import type { Result } from '../../lib/results/result.ts'
import { Verifier } from '../../lib/session/verifier.ts'
import type { JudgeMode } from '../../lib/session/verifier.ts'
import type { Judgement, Judging } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'

const TASK = createTask({ name: 'x', command: 'true', verifyCommand: 'true', parts: 10 })
const NOTHING = { exitCode: null, signal: null, stderr: '' }

interface Resolvers {
  promise: Promise<Judgement>
  resolve: (judgement: Judgement) => void
  reject: (err: Error) => void
}

function withResolvers (): Resolvers {
  let resolvers: Pick<Resolvers, 'resolve' | 'reject'> | undefined
  const promise = new Promise<Judgement>((resolve, reject) => { resolvers = { resolve, reject } })
  return { promise, ...resolvers! }
}

function ofSize (size: number): Result { return { size, digest: new Uint8Array(32) } }

interface Setup {
  verifier: Verifier
  runs: Array<(judgement: Judgement) => void>
  gaveUp: string[]
  waits: string[]
  tooSlow: string[]
  /** time, milliseconds */
  pass: (ms: number) => void
}

/** A verifier on a clock of its own, whose runs end when the test says so. */
function setUp (judging: JudgeMode = 'possible'): Setup {
  let now = 0
  const timers = new Map<() => void, number>()
  const runs: Array<(judgement: Judgement) => void> = []
  const [gaveUp, waits, tooSlow]: [string[], string[], string[]] = [[], [], []]
  const clock = {
    now: () => now,
    after: (ms: number, callback: () => void) => {
      timers.set(callback, now + ms)
      return () => { timers.delete(callback) }
    }
  }
  const verifyBy = (): Judging => {
    const { promise: done, resolve, reject } = withResolvers()
    runs.push(resolve)
    return { done, kill: () => { reject(killed()) }, pause: () => {}, resume: () => {} }
  }
  const verifier = new Verifier(TASK, { store: { verifyBy }, clock }, {
    paceMs: 0,
    gaveUp: why => { gaveUp.push(why.message) },
    waits: why => { waits.push(why.message) },
    isTooSlow: why => { tooSlow.push(why.message) }
  })
  verifier.setJudging(judging)
  const pass = (ms: number): void => {
    now += ms
    for (const [callback, at] of timers) {
      if (at > now) continue
      timers.delete(callback)
      callback()
    }
  }
  return { verifier, runs, gaveUp, waits, tooSlow, pass }
}

test('a pause is not time that the command takes', async t => {
  const { verifier, runs, gaveUp, pass } = setUp()
  verifier.start(4, false)
  const verdicts = [0, 1, 2, 3].map(async index => verifier.judge(index, { isOwn: true }))
  pass(9000)
  verifier.pause()
  verifier.pause()
  pass(3_600_000)
  verifier.resume()
  verifier.resume()
  pass(900)
  for (const end of runs) end({ verdict: 'right', ms: 1 })
  t.same(await Promise.all(verdicts), ['right', 'right', 'right', 'right'])
  t.same([gaveUp, verifier.isOn], [[], true])
})

test('what is slow, or fails for another reason, is not given up; what does not work is', async t => {
  const { verifier, runs, gaveUp, pass } = setUp()
  verifier.start(4, false)
  const slow = [0, 1, 2, 3].map(async index => verifier.judge(index, { isOwn: true }))
  pass(10_000)
  t.same(await Promise.all(slow), ['unknown', 'unknown', 'unknown', 'unknown'])
  t.notOk(verifier.judgesOwn, 'that is not tried again')
  const ended = async (why: Error): Promise<void> => {
    const verdicts = [0, 1, 2].map(async index => verifier.judge(index, { isOwn: true }))
    for (const end of runs.splice(0)) end({ verdict: 'unknown', why })
    await Promise.all(verdicts)
  }
  runs.splice(0)
  await ended(new Error('The disk is full.'))
  await ended(new CommandError('BW_ERR_COMMAND_TIMEOUT', 'The command took too long.', NOTHING))
  t.same([gaveUp, verifier.isOn], [[], true])
  await ended(new CommandError('BW_ERR_COMMAND_EXIT', 'The command exited with code 127.', NOTHING))
  t.same([gaveUp.length, verifier.isOn], [1, false])
})

test('a command that never ends in time is named once', async t => {
  const { verifier, runs, gaveUp, tooSlow, pass } = setUp()
  verifier.start(1, false)
  const late = async (isOwn: boolean): Promise<void> => {
    const verdict = verifier.judge(0, { isOwn })
    pass(10_000)
    t.equal(await verdict, 'unknown')
  }
  for (let i = 0; i < 5; i++) await late(false)
  t.same(tooSlow, [], 'what others send may be made so that it does not end')
  for (let i = 0; i < 5; i++) await late(true)
  t.equal(tooSlow.length, 1)
  t.match(tooSlow[0]!, /did not end in time for any of the first 3 pieces/)
  t.same([gaveUp, verifier.isOn], [[], true], 'it goes on')

  const other = setUp()
  other.verifier.start(1, false)
  for (const isLate of [true, true, false, true]) {
    const verdict = other.verifier.judge(0, { isOwn: true })
    if (isLate) other.pass(10_000)
    else other.runs.at(-1)!({ verdict: 'right', ms: 1 })
    await verdict
  }
  t.same(other.tooSlow, [], 'nor is one that ended once')
  t.equal(runs.length, 10)
})

test('runs that were stopped say nothing, also if commands may run again at once', async t => {
  const { verifier, gaveUp } = setUp()
  verifier.start(3, false)
  const verdicts = [0, 1, 2].map(async index => verifier.judge(index, { isOwn: true }))
  verifier.stop()
  verifier.start(3, false)
  t.same(await Promise.all(verdicts), ['unjudged', 'unjudged', 'unjudged'])
  t.same([gaveUp, verifier.isOn], [[], true])
})

test('refused results are remembered, up to a limit', t => {
  const { verifier } = setUp()
  for (let n = 0; n <= 65_536; n++) verifier.refuse(0, ofSize(n), 'wrong')
  t.ok(verifier.refuses(0, ofSize(65_536)))
  t.notOk(verifier.refuses(0, ofSize(0)))
  t.end()
})

test('what must be judged waits while no command may run, which is said once', async t => {
  const { verifier, runs, waits } = setUp('required')
  verifier.start(1, false)
  const [peer, draft] = [{}, { size: 1, draft: {} as never }]
  const verdicts = [0, 1].map(async index => verifier.judge(index, { draft, sources: [peer] }))
  verifier.stop()
  t.equal(waits.length, 1, 'what has come already waits')
  for (const index of [2, 3]) verdicts.push(verifier.judge(index, { draft, sources: [peer] }))
  t.same([waits.length, verifier.isOn, verifier.listensTo(peer)], [1, true, true])
  await new Promise(resolve => { setImmediate(resolve) })
  runs.splice(0)
  verifier.start(4, false)
  t.equal(runs.length, 4, 'that which was stopped as well')
  for (const end of runs) end({ verdict: 'right', ms: 1 })
  t.same(await Promise.all(verdicts), ['right', 'right', 'right', 'right'])
  verifier.stop()
  const last = verifier.judge(4, { draft, sources: [peer] })
  verifier.close()
  t.equal(await last, 'unjudged')
  t.equal(waits.length, 1)
})

test('if what must be judged cannot be, nobody is listened to', async t => {
  const { verifier, runs, gaveUp } = setUp('required')
  verifier.start(3, false)
  const own = [0, 1, 2].map(async index => verifier.judge(index, { isOwn: true }))
  const other = verifier.judge(3)
  for (const end of runs) {
    end({ verdict: 'unknown', why: new CommandError('BW_ERR_COMMAND_EXIT', 'The command exited with code 127.', NOTHING) })
  }
  t.same(await Promise.all(own), ['unknown', 'unknown', 'unknown'])
  t.same([await other, await verifier.judge(4)], ['ignored', 'ignored'])
  t.match(gaveUp.join('\n'), /so it is not used any more\. [^\n]*$/)
  t.same([verifier.isOn, verifier.listensTo({})], [true, false])
})
