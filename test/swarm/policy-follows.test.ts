// The policy of who names none: that of a peer that computes, as soon as it does.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { hexOf } from '../../lib/base/digest.ts'
import { createTask } from '../../lib/index.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import { until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

const PIECES = 12
const task = createTask({ name: 'out', command: 'echo', parts: PIECES, pieceLength: 64, deterministic: true })
const machine = (says: string): FakeExecutor => new FakeExecutor(({ env }) => ({ stdout: `${says} ${env['PIECE_IDX']}\n` }))
const RIGHT = Array.from({ length: PIECES }, (_, index) => `right ${index}\n`).join('')

test('what was accepted while nothing was computed is checked as soon as something is', async t => {
  const liar = await createPeer(t, task, { compute: { executor: machine('wrong'), slots: 1 } })
  await allDone([liar])
  const peer = await createPeer(t, task)
  const policies: string[] = []
  peer.torrent.on('verifying', ({ policy }) => { policies.push(policy) })
  await ready(peer)
  await connect(liar, peer)
  await allDone([peer])
  t.equal(peer.torrent.verification, null, 'everything is accepted')
  peer.torrent.startComputing({ executor: machine('right'), slots: 1 })
  t.equal(peer.torrent.verification?.policy, 'audit', 'at once')
  await until('it is made again', () => peer.torrent.done && readFileSync(path.join(peer.path, 'out'), 'utf8') === RIGHT)
  await peer.torrent.stopComputing()
  t.equal(peer.torrent.verification?.policy, 'audit', 'and stays when computing stops')
  t.equal(peer.torrent.verification?.states.own, PIECES)
  t.same(policies, ['audit'], 'which is said')
})

test('computing that is started before the task is open; policies that were named', async t => {
  const early = await createPeer(t, task)
  early.torrent.startComputing({ executor: machine('right'), slots: 1 })
  await allDone([early])
  t.equal(early.torrent.verification?.policy, 'audit')
  const checkers = [hexOf(publicKeyOf(generateKeyPairSync('ed25519').privateKey))]
  for (const [verify, before, after] of [
    [undefined, 'trust', 'audit'], ['trust', 'trust', 'trust'], ['off', undefined, undefined]
  ] as const) {
    const peer = await createPeer(t, task, { checkers, ...(verify !== undefined && { verify }) })
    await ready(peer)
    t.equal(peer.torrent.verification?.policy, before)
    peer.torrent.startComputing({ executor: machine('right'), slots: 1 })
    t.equal(peer.torrent.verification?.policy, after, verify ?? 'no policy is named')
    await allDone([peer])
  }
})
