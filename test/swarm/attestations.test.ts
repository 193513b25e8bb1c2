// Real peers that sign their results: sockets, folders, keys on disk, and one whose program lies.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { hexOf } from '../../lib/base/digest.ts'
import { createTask } from '../../lib/index.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import type { VerifyingOptions } from '../../lib/webtorrent/verify-types.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer, PeerOptions } from '../helpers/task-swarm.ts'

const PIECES = 24
const task = createTask({ name: 'out', command: 'true', parts: PIECES, pieceLength: 100 })
const program = (word: string): FakeExecutor =>
  new FakeExecutor(({ env }) => ({ stdout: `${word} ${String(env['PIECE_IDX'])}\n` }))
const { privateKey: lab } = generateKeyPairSync('ed25519')
const trustedKeys = [hexOf(publicKeyOf(lab))]
const trust: VerifyingOptions = { policy: { kind: 'trust' }, trustedKeys }
const member: VerifyingOptions = { ...trust, member: lab }

async function peer (t: Test, verifying?: VerifyingOptions, opts: PeerOptions = {}): Promise<Peer> {
  return createPeer(t, task, { ...opts, ...(verifying !== undefined && { verifying }) })
}

const output = (at: string): string => readFileSync(path.join(at, 'out'), 'latin1').replaceAll('\0', '')
const expected = (word: string): string => Array.from({ length: PIECES }, (_, i) => `${word} ${i}\n`).join('')
const keyFile = (at: string): string => path.join(at, '.bitworker', task.infoHash, 'peer.key')

async function end ({ client }: Peer): Promise<void> { await new Promise(resolve => { client.destroy(resolve) }) }

test("members of a trusted key accept each other's results, and not those of a stranger who lies", async t => {
  const liar = await peer(t, { policy: { kind: 'audit' } }, { compute: { executor: program('wrong') } })
  await allDone([liar])
  const reader = await peer(t, trust)
  await ready(reader)
  await connect(liar, reader)
  const machine = await peer(t, member, { compute: { executor: program('right') } })
  await connect(reader, machine)
  await allDone([machine, reader])
  t.equal(output(reader.path), expected('right'))
  t.equal(reader.downloaded.length, PIECES)
})

test('peers without keys take part in the same swarm as before', async t => {
  const machine = await peer(t, member, { compute: { executor: program('right') } })
  await allDone([machine])
  const plain = await peer(t)
  await ready(plain)
  await connect(machine, plain)
  await allDone([plain])
  t.equal(output(plain.path), expected('right'), 'it downloads from one that signs')
  const next = await peer(t)
  await ready(next)
  await connect(plain, next)
  await allDone([next])
  t.equal(output(next.path), expected('right'), 'and others from it')
})

test('the key and the attestations outlast a restart', async t => {
  const folder = createFolder(t)
  const first = await peer(t, member, { path: folder, compute: { executor: program('right') } })
  await allDone([first])
  t.equal(statSync(keyFile(folder)).mode & 0o777, 0o600)
  const key = readFileSync(keyFile(folder), 'utf8')
  await end(first)
  const again = await peer(t, member, { path: folder })
  await ready(again)
  t.equal(readFileSync(keyFile(folder), 'utf8'), key)
  const reader = await peer(t, trust)
  await ready(reader)
  await connect(again, reader)
  await allDone([reader])
  t.equal(output(reader.path), expected('right'), 'nothing is computed again')
  t.equal(again.computed.length, 0)
})

test('a key that others can read is refused', async t => {
  const folder = createFolder(t)
  const first = await peer(t, member, { path: folder })
  await ready(first)
  await end(first)
  chmodSync(keyFile(folder), 0o644)
  const again = await peer(t, member, { path: folder })
  const [error] = await once(again.torrent, 'error') as [{ code: string }]
  t.equal(error.code, 'BW_ERR_KEY_FILE')
})
