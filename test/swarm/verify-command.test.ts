// A verify command at work: whoever lies, and however many, no wrong piece gets into an honest peer's file.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'tape'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { ComputeStore } from '../../lib/store/compute-store.ts'
import { createTask } from '../../lib/task/task.ts'
import type { CreateTaskOptions, Task } from '../../lib/task/task.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { destroyClient, eventOf } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, noteEnd, ready } from '../helpers/task-swarm.ts'
import type { Peer, PeerOptions } from '../helpers/task-swarm.ts'

const PIECES = 20
const FIRST = 1_000_000_000_000
/** No piece is right that has another first word, another product, a factor that can be divided, or another line. */
const VERIFY = `n=$((${FIRST} + PIECE_IDX)); text=$(cat; echo .); read -r name factors <<< "$text"
[ "$name" = "$n:" ] && [ "$text" = "$n: $factors"$'\\n.' ] || exit 1
p=1; for f in $factors; do p=$((p * f)) || exit 1; done; [ "$p" = "$n" ] && ! factor $factors | grep -q ' .* '`

function factors (opts: Partial<CreateTaskOptions> = {}): Task {
  return createTask({
    name: 'factors',
    command: `sleep 0.05; factor $((${FIRST} + PIECE_IDX))`,
    verifyCommand: VERIFY,
    parts: PIECES,
    pieceLength: 1000,
    ...opts
  })
}

/** Computes by bash, and verifies unless told otherwise. */
async function honest (t: Test, task: Task, opts: PeerOptions = {}): Promise<Peer> {
  const executor = new BashExecutor()
  cleanUp(t, async () => { await executor.close() })
  const peer = await createPeer(t, task, { compute: { executor, slots: 2 }, ...opts })
  await ready(peer)
  return peer
}

/** Computes whatever it likes, at once. */
async function liar (t: Test, task: Task, says: (index: number) => string): Promise<Peer> {
  const executor = new FakeExecutor(({ env }) => ({ stdout: says(Number(env['PIECE_IDX'])) }))
  const peer = await createPeer(t, task, { compute: { executor, slots: 8 }, verify: 'off' })
  await ready(peer)
  return peer
}

async function fileOf ({ path: folder }: Peer): Promise<string> {
  return await readFile(path.join(folder, 'factors'), 'utf8')
}

/** What `factor` prints, made once. */
async function truth (t: Test): Promise<string> {
  const alone = await honest(t, factors({ command: `factor $((${FIRST} + PIECE_IDX))` }))
  await allDone([alone])
  return await fileOf(alone)
}

/** Lies that pass for results at first sight. */
const LIES: Array<(index: number) => string> = [
  index => `${FIRST + index}: ${FIRST + index}\n`,
  index => `${FIRST + index}: 1 1\n`,
  () => '',
  index => `${FIRST + index}\n`,
  index => `${FIRST + index + 1}: 2 2\n`
]

/** One peer for each kind of lie, which has announced everything. */
async function liarsOf (t: Test, task: Task): Promise<Peer[]> {
  const liars: Peer[] = []
  for (const lie of LIES) liars.push(await liar(t, task, lie))
  await allDone(liars)
  return liars
}

test('five of six peers lie from the start', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const liars = await liarsOf(t, task)
  const peer = await honest(t, task)
  const strikes: string[] = []
  peer.torrent.on('strike', ({ reason }) => { strikes.push(reason) })
  await connect(...liars, peer)
  await allDone([peer])
  t.equal(await fileOf(peer), right, 'every piece is right')
  t.ok(peer.computed.length <= PIECES, `${peer.computed.length} computed`)
  const { computed, downloaded } = peer.torrent.stats()
  t.ok(computed + downloaded === PIECES && computed <= 1.2 * PIECES, `${computed} computed, ${downloaded} downloaded`)
  t.deepEqual(strikes, [], 'nobody is punished for having what somebody else may have made')
})

test('three honest peers share the work among five liars', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const liars = await liarsOf(t, task)
  const peers: Peer[] = []
  for (let i = 0; i < 3; i++) peers.push(await honest(t, task))
  await connect(...liars, ...peers)
  await allDone(peers)
  for (const peer of peers) t.equal(await fileOf(peer), right)
  const work = peers.reduce((sum, { computed }) => sum + computed.length, 0)
  // on a busy machine they compute more pieces at the same time; alone each would compute all of them
  t.ok(work <= 2 * PIECES, `${work} computed for ${PIECES} pieces`)
})

test('a peer that lies from half-time on', async t => {
  noteEnd(t)
  const right = await truth(t)
  const lines = right.split('\n')
  const task = factors()
  const turncoat = await liar(t, task, index => index < PIECES / 2 ? `${lines[index]}\n` : `${FIRST + index}: 3 5\n`)
  await allDone([turncoat])
  const peer = await honest(t, task)
  await connect(turncoat, peer)
  await allDone([peer])
  t.equal(await fileOf(peer), right)
  t.ok(peer.downloaded.every(index => index < PIECES / 2), 'what was right is used')
})

test('lies at which the verify command hangs are computed here', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors({
    parts: 4, verifyCommand: 'text=$(cat); if [ "$text" = hang ]; then sleep 1000 & wait; fi; [[ $text = *": "* ]]', verifyTimeoutMs: 1000
  })
  const other = await liar(t, task, () => 'hang')
  await allDone([other])
  const peer = await honest(t, task)
  await connect(other, peer)
  await allDone([peer])
  t.equal(await fileOf(peer), right.split('\n').slice(0, 4).join('\n') + '\n')
  t.deepEqual(peer.downloaded, [])
})

test('what was stored without being judged is judged before it counts, also after a restart', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const other = await liar(t, task, index => `${FIRST + index}: 3 5\n`)
  await allDone([other])
  const folder = createFolder(t)
  const careless = await createPeer(t, task, { path: folder })
  await connect(other, careless)
  await allDone([careless])
  t.notEqual(await fileOf(careless), right, 'who only downloads takes what it gets')
  await destroyClient(careless.client)

  const careful = await honest(t, task, { path: folder })
  await allDone([careful])
  t.equal(await fileOf(careful), right, 'nothing of it is left')
  await destroyClient(careful.client)

  const executor = new FakeExecutor(() => ({ exitCode: 1 }))
  const again = await createPeer(t, task, { path: folder, compute: { executor } })
  await allDone([again])
  t.equal(await fileOf(again), right, 'nothing is judged twice')
})

test('commands that are allowed later judge what has come before', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const other = await liar(t, task, index => `${FIRST + index}: 3 5\n`)
  await allDone([other])
  const peer = await createPeer(t, task)
  await connect(other, peer)
  await allDone([peer])
  t.notEqual(await fileOf(peer), right)
  const executor = new BashExecutor()
  cleanUp(t, async () => { await executor.close() })
  const again = eventOf(peer.torrent, 'done')
  peer.torrent.startComputing({ executor, slots: 2 })
  await again
  t.equal(await fileOf(peer), right)
})

test('what comes while the user is asked waits for the answer', async t => {
  noteEnd(t)
  const right = await truth(t)
  const lines = right.split('\n')
  const task = factors()
  const other = await liar(t, task, index => index === 0 ? `${lines[0]}\n` : `${FIRST + index}: 3 5\n`)
  await allDone([other])
  const bytes = (await fileOf(other)).length
  for (const answer of ['yes', 'no']) {
    const peer = await createPeer(t, task, { expectsComputing: true })
    await ready(peer)
    const said: string[] = []
    peer.torrent.on('verifying', ({ policy, isWarning }) => { said.push(`${policy} ${isWarning}`) })
    const sent = other.torrent.uploaded
    await connect(other, peer)
    while (other.torrent.uploaded < sent + bytes) await setTimeout(5)
    t.equal(peer.torrent.stats().stored, 0)
    if (answer === 'yes') {
      const executor = new BashExecutor()
      cleanUp(t, async () => { await executor.close() })
      peer.torrent.startComputing({ executor, slots: 2 })
    } else await peer.torrent.stopComputing()
    await allDone([peer])
    if (answer === 'yes') t.equal(await fileOf(peer), right)
    else t.notEqual(await fileOf(peer), right, 'nothing is verified then')
    t.same(said, answer === 'yes' ? [] : ['off true'], 'which is said')
    await destroyClient(peer.client)
  }
})

test('commands that are allowed while a piece is being written judge that piece, too', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const other = await liar(t, task, index => `${FIRST + index}: 3 5\n`)
  await allDone([other])
  const peer = await createPeer(t, task)
  await ready(peer)
  const executor = new BashExecutor()
  cleanUp(t, async () => { await executor.close() })
  const { store } = peer.torrent as unknown as { store: ComputeStore }
  const receive = store.receive.bind(store)
  const waiting: Array<() => void> = []
  store.receive = (index, size) => {
    const draft = receive(index, size)
    return {
      write: async (at, bytes) => { await draft.write(at, bytes) },
      hashInto: async (digest, at, length) => { await draft.hashInto(digest, at, length) },
      discard: () => { draft.discard() },
      commit: async result => {
        const stored = await draft.commit(result)
        await new Promise<void>(resolve => waiting.push(resolve))
        return stored
      }
    }
  }
  await connect(other, peer)
  while (waiting.length < PIECES) await setTimeout(5)
  peer.torrent.startComputing({ executor, slots: 2 })
  while (peer.computed.length === 0 && peer.torrent.computing !== 'on') await setTimeout(5)
  for (const resolve of waiting) resolve()
  store.receive = receive
  await allDone([peer])
  t.equal(await fileOf(peer), right)
})

test('a verify command that does not work here is said once, and nothing is accepted in silence', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors({ verifyCommand: 'no-such-program' })
  const fast = await liar(t, task, index => `${FIRST + index}: 3 5\n`)
  await allDone([fast])
  const peer = await createPeer(t, task, { expectsComputing: true })
  await ready(peer)
  const policies: string[] = []
  peer.torrent.on('verifying', ({ policy, line }) => { policies.push(policy, line) })
  const said: string[] = []
  peer.torrent.removeAllListeners('warning').on('warning', ({ message }) => { said.push(message) })
  const executor = new BashExecutor()
  cleanUp(t, async () => { await executor.close() })
  await connect(fast, peer)
  peer.torrent.startComputing({ executor, slots: 2 })
  await allDone([peer])
  t.equal(said.length, 1)
  t.match(said[0]!, /^The task's verify command cannot judge pieces that were computed here .* it is not used any more\./)
  t.same(policies, ['audit', "checked by lot, as the task's verify command does not work here"], 'who takes its place')
  t.equal(peer.torrent.verification?.policy, 'audit')
  t.equal(await fileOf(peer), right, 'what nobody attests was computed here')
})

test('who asks for the policy all gets nothing that was not judged: computing stops, or the command does not work', async t => {
  noteEnd(t)
  const right = await truth(t)
  const other = await liar(t, factors(), index => `${FIRST + index}: 3 5\n`)
  await allDone([other])
  const executor = new BashExecutor()
  cleanUp(t, async () => { await executor.close() })
  const peer = await createPeer(t, factors(), { verify: 'all', expectsComputing: true })
  const waits = new Promise<string>(resolve => {
    peer.torrent.removeAllListeners('warning').on('warning', ({ message }) => { resolve(message) })
  })
  await ready(peer)
  await peer.torrent.stopComputing()
  await connect(other, peer)
  t.match(await waits, /^No commands run here any more, .* results of other peers wait, as the policy all asks\./)
  t.equal(peer.torrent.stats().stored, 0)
  peer.torrent.startComputing({ executor, slots: 2 })
  await allDone([peer])
  t.equal(await fileOf(peer), right)

  const broken = factors({ verifyCommand: 'no-such-program' })
  const fast = await liar(t, broken, index => `${FIRST + index}: 3 5\n`)
  await allDone([fast])
  const strict = await createPeer(t, broken, { verify: 'all', expectsComputing: true })
  const said: string[] = []
  strict.torrent.removeAllListeners('warning').on('warning', ({ message }) => { said.push(message) })
  await connect(fast, strict)
  strict.torrent.startComputing({ executor, slots: 2 })
  const lines: string[] = []
  strict.torrent.on('verifying', ({ policy, line }) => { lines.push(`${policy}: ${line}`) })
  await allDone([strict])
  t.equal(await fileOf(strict), right)
  t.equal(said.length, 1)
  t.match(lines.join('\n'), /^all: only what this machine computes is used, as the task's verify command does not work here$/m)
})

test('a machine that computes wrongly notices', async t => {
  noteEnd(t)
  const right = await truth(t)
  const task = factors()
  const lines = right.split('\n')
  // a fake that verifies as the command would, and computes wrongly once
  let wrong = 1
  const executor = new FakeExecutor(({ command, env, stdin }) => {
    const line = `${lines[Number(env['PIECE_IDX'])]}\n`
    if (command === VERIFY) return { exitCode: readFileSync(stdin!, 'utf8') === line ? 0 : 1 }
    return { stdout: wrong-- > 0 ? 'broken memory' : line, ms: 1000 }
  })
  const peer = await createPeer(t, task)
  const failed: Array<[number | null, string]> = []
  peer.torrent.on('failed', ({ piece, code }) => { failed.push([piece, code]) })
  peer.torrent.startComputing({ executor, slots: 1 })
  await allDone([peer])
  t.equal(await fileOf(peer), right)
  t.equal(failed.length, 1)
  t.equal(failed[0]![1], 'BW_ERR_VERIFY_COMMAND')
})
