// Checks of a session that end, or cannot: its task is done all the same, or it says what it waits for.
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { CheckedStore } from '../../bench/simulator/store.ts'
import { CommandError } from '../../lib/base/errors.ts'
import type { BitWorkerError } from '../../lib/base/errors.ts'
import type { DownloadHost } from '../../lib/download/download-host.ts'
import type { AttestationParts, Verifying } from '../../lib/session/attestations.ts'
import type { SessionEvents } from '../../lib/session/events.ts'
import { WorkSession } from '../../lib/session/work-session.ts'
import type { Result } from '../../lib/results/result.ts'
import type { Generated } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'
import type { Policy } from '../../lib/verification/types.ts'
import { NO_DOWNLOADS } from '../helpers/no-downloads.ts'
import { result, wrong } from '../helpers/verification.ts'

const PIECES = 8
const TASK = { name: 'out', command: 'true', parts: PIECES, pieceLength: 64 }
const INPUT = { name: 'input', infoHash: 'a'.repeat(40), sha256: new Uint8Array(32), length: 1 }
const WORK_MS = 100

/** All pieces are on the disk. */
class FullStore extends CheckedStore {
  override async open (): Promise<never[]> {
    const stored = Array.from({ length: PIECES }, (_, index): [number, Result] => [index, result(index)])
    for (const [index, of] of stored) await this.commit(index, of)
    return stored as never[]
  }
}

/** How the command ends: with a result, or null: it fails. */
type Command = (index: number) => Result | null

interface Setup extends Pick<Verifying, 'ifIncomparable'> {
  isFull?: boolean
  /** null: the task does not say */
  deterministic?: boolean | null
  hasInputs?: boolean
}

/** A session that has all pieces, as `ann` attests them, and draws all of them; or that has none, and draws none. */
async function checking (
  command: Command, policy: Policy = { kind: 'audit' },
  { isFull = true, deterministic = true, hasInputs = false, ifIncomparable }: Setup = {}
) {
  const inputs = hasInputs ? [INPUT] : undefined
  const task = createTask({ ...TASK, ...(deterministic !== null && { deterministic }), ...(inputs && { inputs }) })
  const clock = new VirtualClock()
  const runs: number[] = []
  const told: Array<keyof SessionEvents> = []
  const stuck: number[][] = []
  const warnings: string[] = []
  let timesDone = 0
  let heard!: AttestationParts['verification']
  let downloads!: DownloadHost
  const said: Array<() => void> = []
  const store = new (isFull ? FullStore : CheckedStore)(index => {
    runs.push(index)
    let kill!: () => void
    const done = new Promise<Generated>((resolve, reject) => {
      const failure = (code: 'BW_ERR_COMMAND_EXIT' | 'BW_ERR_COMMAND_KILLED'): void => {
        // each in another way: else it is stopped as hopeless
        reject(new CommandError(code, 'It failed.', { exitCode: runs.length, signal: null, stderr: '' }))
        clock.settled()
      }
      kill = () => { failure('BW_ERR_COMMAND_KILLED') }
      clock.after(WORK_MS, () => {
        const own = command(index)
        if (own === null) return failure('BW_ERR_COMMAND_EXIT')
        resolve({ ...own, ms: WORK_MS, stderr: '' })
        clock.settled()
      })
    })
    const ended = done.then(() => {}, () => {})
    return { piece: index, done, ended, kill, pause () {}, resume () {} }
  })
  const session = new WorkSession(task, {
    store,
    clock,
    peerId: new Uint8Array(20),
    random: () => isFull ? 0 : 0.999,
    lag: () => 0,
    createDownloads: (_parts, host) => {
      downloads = host
      return NO_DOWNLOADS
    }
  }, {
    report: (event, payload) => {
      told.push(event)
      if (event === 'stuck') stuck.push((payload as SessionEvents['stuck']).pieces)
    },
    stored () {},
    lost () {},
    fileFinished () {},
    done () { timesDone++ },
    ban () {},
    warn (err) { warnings.push((err as BitWorkerError).code) },
    ended () {},
    broken (err) { throw err }
  })
  const verifying = (by: Policy): Verifying => ({
    policy: by,
    ownKey: 'own',
    ...(ifIncomparable !== undefined && { ifIncomparable }),
    createAttestations: parts => {
      heard = parts.verification
      return {
        open () {},
        retell () { for (const tell of said) tell() },
        add () {},
        remove () {},
        attest () {},
        isAwaited: () => false,
        exclude () {},
        close () {}
      }
    }
  })
  session.setPolicy(verifying(policy), 'possible')
  await session.open()
  session.setWanted(() => true)
  const say = (key: string, index: number, of = result(index)): void => {
    const tell = (): void => {
      if (key.startsWith('member')) heard.setMember(key, 'lab')
      heard.attested({ index, result: of, key, kind: 0 })
    }
    said.push(tell)
    tell()
  }
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await new Promise(resolve => { setImmediate(resolve) })
      await clock.run(() => false, clock.now() + 60_000)
    }
  }
  const isDone = (): boolean => timesDone > 0
  return { session, policyOf: verifying, say, settle, runs, told, stuck, warnings, store, downloads, heard, isDone }
}

/** The command fails for every other piece. */
const oddOnes: Command = index => index % 2 === 0 ? null : result(index)

test('a check whose command fails three times is none any more, and the task is done', async t => {
  for (const policy of [{ kind: 'audit' }, { kind: 'audit', error: 0.2 }] as const) {
    const { session, say, settle, runs, isDone } = await checking(oddOnes, policy)
    session.startComputing(1, null)
    for (let index = 0; index < PIECES; index++) say('ann', index)
    t.notOk(session.verification!.open === 0, 'some are to be checked')
    t.notOk(isDone())
    await settle()
    t.ok(isDone(), 'done')
    t.equal(session.verification!.open, 0)
    const failing = runs.filter(index => index % 2 === 0)
    t.ok(failing.length > 0 && failing.length % 3 === 0, `${failing.length} attempts`)
    await session.close(null)
  }
})

test('lots are not waited for while nothing is computed; the sample that was asked for is', async t => {
  const { session, say, settle, isDone, runs } = await checking(result)
  for (let index = 0; index < PIECES; index++) say('ann', index)
  await settle()
  t.ok(session.verification!.open > 0, 'one is open')
  t.ok(isDone(), 'without computing, it is done')
  session.startComputing(1, null)
  await settle()
  t.ok(runs.length > 0 && session.verification!.open === 0, 'and checked when there is computing')
  await session.close(null)
  const sampled = await checking(result, { kind: 'audit', error: 0.2 })
  for (let index = 0; index < PIECES; index++) sampled.say('ann', index)
  await sampled.settle()
  t.notOk(sampled.isDone(), 'the sample is open')
  sampled.session.startComputing(1, null)
  await sampled.settle()
  t.ok(sampled.isDone())
  await sampled.session.close(null)
})

test('lots whose inputs nobody has are not waited for, which is said; when the inputs come, they are made', async t => {
  const { session, say, settle, isDone, runs, warnings } = await checking(result, { kind: 'audit' }, { hasInputs: true })
  let reach: 'coming' | 'absent' = 'coming'
  session.work.watchInputs(() => reach)
  session.startComputing(1, null)
  for (let index = 0; index < PIECES; index++) say('ann', index)
  await settle()
  t.notOk(isDone(), 'as long as they may come, they are waited for')
  reach = 'absent'
  session.pauseComputing()
  await settle()
  t.notOk(isDone(), 'or while it is paused')
  t.same(warnings, [])
  session.resumeComputing()
  await settle()
  t.ok(isDone(), 'it is done')
  t.same(warnings, ['BW_ERR_UNCHECKED'])
  t.same([runs.length, session.standing(0)], [0, 'attested'], 'as it is accepted without')
  for (let index = 0; index < PIECES; index++) session.scheduler.setReady(index, true)
  session.work.run()
  await settle()
  t.ok(runs.length > 0 && session.verification!.open === 0)
  await session.close(null)
})

test('computing that ends leaves no lot to wait for; a pause does', async t => {
  for (const ends of [true, false]) {
    const { session, say, settle, isDone } = await checking(result)
    session.startComputing(1, 'suspend')
    for (let index = 0; index < PIECES; index++) say('ann', index)
    await settle()
    t.notOk(isDone(), 'paused')
    if (ends) await session.stopComputing()
    else session.resumeComputing()
    await settle()
    t.ok(isDone(), ends ? 'stopped' : 'resumed')
    await session.close(null)
  }
})

test('doubtful pieces whose command fails: nothing is left to do here, which is said', async t => {
  const { session, say, settle, isDone, stuck } = await checking(index => index === 5 ? null : result(index))
  session.startComputing(1, null)
  for (let index = 0; index < PIECES; index++) if (index !== 5) say('ann', index)
  await settle()
  t.same([isDone(), stuck], [false, [[5]]])
  say('ann', 5)
  await settle()
  t.ok(isDone(), 'until somebody attests it')
  await session.close(null)
})

test('a piece whose result is not accepted any more when it has been written is missing, and counted so', async t => {
  const { session, say, settle, store, downloads, heard: verification, isDone } = await checking(result, { kind: 'audit' }, { isFull: false })
  say('ann', 3, wrong(3))
  const commit = async (): Promise<Result> => {
    await store.commit(3, wrong(3))
    verification.setMember('mia', 'lab')
    say('mia', 3)
    return wrong(3)
  }
  await downloads.downloaded(3, wrong(3), { commit, async hashInto () {} }, [])
  t.same([session.stats().stored, session.stats().missing], [0, PIECES])
  session.startComputing(1, null)
  await settle()
  t.same([session.stats().missing, isDone()], [0, true], 'and computed')
  await session.close(null)
})

test('results that cannot be compared: who is trusted is believed from then on, if there is anybody', async t => {
  for (const ifIncomparable of [undefined, { kind: 'trust' }] as const) {
    let runs = 0
    const { session, say, settle, told, isDone } = await checking(() => result(100 + runs++), { kind: 'audit' }, {
      deterministic: null, ...(ifIncomparable !== undefined && { ifIncomparable })
    })
    for (let index = 0; index < PIECES; index++) say('ann', index)
    say('member', 1)
    t.equal(session.standing(2), 'attested')
    session.startComputing(1, null)
    await settle()
    t.equal(told.filter(event => event === 'incomparable').length, 1, 'said once')
    t.ok(isDone())
    t.equal(session.policy?.kind, ifIncomparable?.kind)
    const standings = Array.from({ length: PIECES }, (_, index) => session.standing(index))
    if (ifIncomparable === undefined) t.same(new Set(standings), new Set([null]), 'nothing is verified any more')
    else t.same(standings, [0, 1, 2, 3, 4, 5, 6, 7].map(index => index === 1 ? 'trusted' : 'own'), 'the rest was computed')
    await session.close(null)
  }
})

test('where results cannot be compared, what is computed here is taken at once, whatever strangers attest', async t => {
  let count = 0
  const { session, say, settle, runs, told, isDone } = await checking(() => result(100 + count++), { kind: 'trust' }, {
    deterministic: false
  })
  for (let index = 0; index < PIECES; index++) say('ann', index)
  session.startComputing(1, null)
  await settle()
  t.equal(runs.length, PIECES, 'one run of each piece')
  t.notOk(told.includes('incomparable'))
  t.ok(isDone())
  t.same(new Set(Array.from({ length: PIECES }, (_, index) => session.standing(index))), new Set(['own']))
  await session.close(null)
})
