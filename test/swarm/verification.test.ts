// Swarms of real peers in which one machine is wrong: what it says ends up in nobody's files.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { hexOf } from '../../lib/base/digest.ts'
import { createTask } from '../../lib/index.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import type { VerifyingOptions } from '../../lib/webtorrent/verify-types.ts'
import { until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const PIECES = 60
const WORK_MS = 40
const task = createTask({ name: 'out', command: 'true', parts: PIECES, pieceLength: 100, deterministic: true })

const wait = async (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

/** @param isWrong whether the machine's result of the piece is wrong */
function machine (ms: number, isWrong: (piece: number) => boolean): FakeExecutor {
  return new FakeExecutor(async ({ env }) => {
    const piece = Number(env['PIECE_IDX'])
    if (ms > 0) await wait(ms)
    return { stdout: `${isWrong(piece) ? 'wrong' : 'right'} ${piece}\n` }
  })
}

interface Swarm { honest: Peer[], excluded: string[] }

/** Three honest peers, and one whose machine is its own matter, which computes as soon as all are connected. */
async function swarm (t: Test, verifying: VerifyingOptions, other: FakeExecutor, first = verifying): Promise<Swarm> {
  const honest = await Promise.all([first, verifying, verifying].map(
    options => createPeer(t, task, { verifying: options })
  ))
  const liar = await createPeer(t, task, { verifying: { policy: { kind: 'off' } } })
  const excluded: string[] = []
  for (const { torrent } of honest) torrent.on('excluded', ({ key }) => { excluded.push(key) })
  await Promise.all([...honest, liar].map(ready))
  await connect(...honest, liar)
  liar.torrent.startComputing({ slots: 1, executor: other })
  for (const { torrent } of honest) torrent.startComputing({ slots: 1, executor: machine(WORK_MS, () => false) })
  return { honest, excluded }
}

/** The number of wrong lines in its file. */
const wrongIn = ({ path: at }: Peer): number => (
  readFileSync(path.join(at, 'out'), 'utf8').split('\n').filter(line => line.startsWith('wrong')).length
)

test('a program that lies and takes no time: nothing of it is in any file, and it is excluded', async t => {
  const { privateKey: member } = generateKeyPairSync('ed25519')
  const verifying: VerifyingOptions = { policy: { kind: 'audit' }, trustedKeys: [hexOf(publicKeyOf(member))] }
  const { honest, excluded } = await swarm(t, verifying, machine(0, () => true), { ...verifying, member })
  await allDone(honest)
  // who was done before the member had found out makes its file again
  await until('nothing is wrong', () => honest.every(peer => peer.torrent.done && wrongIn(peer) === 0))
  t.same(honest.map(({ torrent }) => torrent.stats().stored), [PIECES, PIECES, PIECES])
  t.ok(excluded.length > 0, 'it is excluded')
  t.equal(new Set(excluded).size, 1, 'and nobody else is')
})

test('a machine that errs: what only it attests is nobody\'s result where two are asked for', async t => {
  const { honest, excluded } = await swarm(t, { policy: { kind: 'quorum', count: 2 } }, machine(WORK_MS, piece => piece === 13))
  await allDone(honest)
  t.same(honest.map(wrongIn), [0, 0, 0])
  t.same(excluded, [], 'one error excludes nobody')
})

test('without verification, what a liar says is in the files', async t => {
  const off = { verifying: { policy: { kind: 'off' } } } as const
  const [honest, liar] = await Promise.all([createPeer(t, task, off), createPeer(t, task, off)])
  await Promise.all([honest, liar].map(ready))
  liar.torrent.startComputing({ slots: 1, executor: machine(0, () => true) })
  await allDone([liar])
  await connect(honest, liar)
  honest.torrent.startComputing({ slots: 1, executor: machine(WORK_MS, () => false) })
  await allDone([honest])
  t.ok(wrongIn(honest) > 0)
})

test('what a reader gets of a small task has had its second look', async t => {
  const verifying: VerifyingOptions = { policy: { kind: 'audit' } }
  const [reader, liar] = [await createPeer(t, task, { verifying }), await createPeer(t, task)]
  await Promise.all([reader, liar].map(ready))
  liar.torrent.startComputing({ slots: 4, executor: machine(0, piece => piece % 7 === 3) })
  await allDone([liar])
  reader.torrent.startComputing({ slots: 2, executor: machine(WORK_MS, () => false) })
  await connect(reader, liar)
  let text = ''
  for await (const bytes of reader.torrent.files[0]!) text += Buffer.from(bytes).toString()
  t.equal(text, Array.from({ length: PIECES }, (_, piece) => `right ${piece}\n`).join(''), 'no wrong line was read')
})
