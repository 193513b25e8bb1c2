// Swarms of real peers whose results differ in their last digits, and are compared by the task's compare command.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { createTask } from '../../lib/index.ts'
import { until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const PIECES = 40
const WORK_MS = 30
const COMPARE = 'compare'
const task = createTask({ name: 'out', command: 'true', parts: PIECES, pieceLength: 100, compareCommand: COMPARE })

const wait = async (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

interface Machine { executor: FakeExecutor, computed: () => number, compared: () => number }

/** Each run gives other last digits. @param isWrong whether the machine's result of the piece is wrong */
function machine (ms: number, isWrong: (piece: number) => boolean): Machine {
  let run = 0
  const executor = new FakeExecutor(async ({ env, command, cwd }) => {
    if (command === COMPARE) {
      const [a, b] = ['a', 'b'].map(name => Number(readFileSync(path.join(cwd, name), 'utf8').split(' ')[1]))
      return { exitCode: Math.abs(a! - b!) < 0.1 ? 0 : 1 }
    }
    const piece = Number(env['PIECE_IDX'])
    if (ms > 0) await wait(ms)
    const digits = (isWrong(piece) ? 7 : 3) + Math.random() / 1000 + run++ / 1e6
    return { stdout: `${piece} ${digits}\n` }
  })
  const count = (isComparison: boolean) => (): number => (
    executor.items.filter(({ command }) => (command === COMPARE) === isComparison).length
  )
  return { executor, computed: count(false), compared: count(true) }
}

interface Swarm { honest: Peer[], liar: Peer, machines: Machine[], excluded: string[], suspected: string[] }

/**
 * Three honest peers, and one whose machine is its own matter.
 * @param isFirst whether it has computed everything before the others begin
 */
async function swarm (t: Test, verify: string, other: Machine, isFirst = false): Promise<Swarm> {
  const honest = await Promise.all([1, 2, 3].map(async () => createPeer(t, task, { verify })))
  const liar = await createPeer(t, task, { verifying: { policy: { kind: 'off' } } })
  const [excluded, suspected]: [string[], string[]] = [[], []]
  for (const { torrent } of honest) {
    torrent.on('excluded', ({ key }) => { excluded.push(key) })
    torrent.on('suspected', ({ key }) => { suspected.push(key) })
    torrent.on('incomparable', () => { t.fail('results can be compared') })
  }
  await Promise.all([...honest, liar].map(ready))
  await connect(...honest, liar)
  liar.torrent.startComputing({ slots: 1, executor: other.executor })
  if (isFirst) await allDone([liar])
  const machines = honest.map(({ torrent }) => {
    const own = machine(WORK_MS, () => false)
    torrent.startComputing({ slots: 1, executor: own.executor })
    return own
  })
  return { honest, liar, machines, excluded, suspected }
}

/** The number of wrong lines in its file. */
const wrongIn = ({ path: at }: Peer): number => (
  readFileSync(path.join(at, 'out'), 'utf8').split('\n').filter(line => line !== '' && !line.includes(' 3.')).length
)

test('audit: peers whose results differ in the last digits accept each other, and a liar is excluded', async t => {
  const { honest, machines, excluded, suspected } = await swarm(t, 'audit', machine(0, () => true), true)
  await allDone(honest)
  await until('nothing is wrong', () => honest.every(peer => peer.torrent.done && wrongIn(peer) === 0))
  t.ok(excluded.length > 0, 'it is excluded')
  t.equal(new Set([...excluded, ...suspected]).size, 1, 'and nobody else is suspected')
  t.ok(machines.some(each => each.compared() > 0), 'by comparing')
})

test('audit: without a liar, what others computed is used, and nobody is suspected', async t => {
  const { honest, machines, suspected } = await swarm(t, 'audit', machine(WORK_MS, () => false))
  await allDone(honest)
  t.same(honest.map(wrongIn), [0, 0, 0])
  t.same(suspected, [])
  for (const { torrent } of honest) t.equal(torrent.verification?.lots.wrong, 0)
  const items = machines.reduce((sum, each) => sum + each.computed(), 0)
  t.ok(items < 2.5 * PIECES, `${items} items for ${PIECES} pieces`)
})

test('quorum: a result that is equal by the compare command counts as a second one', async t => {
  const { honest, suspected } = await swarm(t, 'quorum=2', machine(WORK_MS, piece => piece === 13))
  await allDone(honest)
  t.same(honest.map(wrongIn), [0, 0, 0])
  t.ok(new Set(suspected).size <= 1, 'nobody else is suspected than whose result was wrong')
  const confirmed = honest.reduce((sum, { torrent }) => sum + (torrent.verification?.states.confirmed ?? 0), 0)
  t.ok(confirmed > 0, `${confirmed} results are accepted because two keys attest them`)
  t.same(honest.map(({ torrent }) => torrent.verification?.states.doubtful), [0, 0, 0])
})
