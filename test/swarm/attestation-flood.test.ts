// Attestations without number, under keys without number, over real sockets: honest neighbours finish.
import { createPrivateKey, generateKeyPairSync, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import test from 'tape'
import type { Test } from 'tape'
import { BRANCH_BYTES } from '../../extensions/ut_bitworker/constants.ts'
import { packRecords } from '../../extensions/ut_bitworker/records.ts'
import { encode } from '../../lib/base/bencode.ts'
import { hexOf, sha256 } from '../../lib/base/digest.ts'
import { createTask } from '../../lib/index.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import { attest, signerOf } from '../../lib/trust/attest.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { HostilePeer } from '../helpers/hostile-peer.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const PIECES = 200
const KEYS = 10_000
// to each of the two; 100 000 take a minute or two, as they are read no faster than the limits allow
const FLOOD = 20_000
const PER_MESSAGE = 350
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const task = createTask({ name: 'out', command: 'true', parts: PIECES, pieceLength: 100 })
const lab = generateKeyPairSync('ed25519').privateKey
const trustedKeys = [hexOf(publicKeyOf(lab))]
const right = (index: number): string => `right ${index}\n`

/** Messages with an attestation by each of the keys, about any pieces, that say something else each. */
function messagesOf (seed: number, isRight: boolean): Buffer[] {
  const records = Array.from({ length: KEYS }, (_, i) => {
    const der = Buffer.concat([PKCS8, sha256(Buffer.from(`${seed} ${i}`))])
    const signer = signerOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    const statement = { index: i % PIECES, size: 10, digest: sha256(Buffer.from(`${i}`)), kind: 0 as const, basis: null }
    if (isRight) return attest(task.digest, statement, signer)
    return { ...statement, key: signer.key, signature: new Uint8Array(64).fill(i % 256) }
  })
  return Array.from({ length: Math.ceil(KEYS / PER_MESSAGE) }, (_, i) =>
    Buffer.from(encode({
      attestations: packRecords('attestations', records.slice(i * PER_MESSAGE, (i + 1) * PER_MESSAGE))
    })))
}

/** Sends as many as the victim reads, up to FLOOD; comes back when it is thrown out. Returns how many were sent. */
async function flood (t: Test, victim: Peer, messages: Buffer[], isOver: () => boolean): Promise<number> {
  let [sent, connections] = [0, 0]
  while (sent < FLOOD && connections < 50) {
    connections++
    const key = Buffer.from(signerOf(generateKeyPairSync('ed25519').privateKey).key, 'hex')
    const bitworker = { task: task.digest, v: 1, key, nonce: Buffer.alloc(16, connections) }
    // another address looks like another host
    const hostile = await HostilePeer.connect(t, victim, task, { localAddress: `127.0.1.${connections}` })
    await hostile.introduce({ bitworker })
    for (let i = 0; sent < FLOOD && !hostile.isClosed; i++) {
      hostile.extended('ut_bitworker', messages[i % messages.length]!)
      sent += PER_MESSAGE
      const { socket } = hostile
      if (socket.writableNeedDrain) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
      if (isOver() && i % 16 === 0) await hostile.heard()
    }
    hostile.socket.destroy()
  }
  return sent
}

for (const isRight of [true, false]) {
  test(`${FLOOD} attestations by ${KEYS} keys, ${isRight ? 'right' : 'wrong'} signatures`, async t => {
    const seed = randomInt(2 ** 31)
    t.comment(`seed ${seed}`)
    const messages = messagesOf(seed, isRight)
    const executor = new FakeExecutor(({ env }) => ({ stdout: right(Number(env['PIECE_IDX'])) }))
    const verifying = { policy: { kind: 'audit' }, trustedKeys, member: lab } as const
    const peers = [
      await createPeer(t, task, { verifying, compute: { executor, slots: 1 } }),
      await createPeer(t, task, { verifying, compute: { executor, slots: 1 } })
    ]
    await Promise.all(peers.map(ready))
    let isOver = false
    const before = process.memoryUsage().rss
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    const floods = peers.map(async peer => flood(t, peer, messages, () => isOver))
    await connect(...peers)
    await allDone(peers)
    isOver = true
    const sent = await Promise.all(floods)
    delay.disable()
    const grown = (process.memoryUsage().rss - before) / 2 ** 20
    t.comment(`${sent.join(' and ')} sent; ${grown.toFixed(0)} MiB more; ` +
      `event loop at most ${(delay.max / 1e6).toFixed(0)} ms, mean ${(delay.mean / 1e6).toFixed(0)} ms`)
    for (const { path: folder, torrent } of peers) {
      t.equal(readFileSync(path.join(folder, 'out'), 'latin1').replaceAll('\0', ''),
        Array.from({ length: PIECES }, (_, i) => right(i)).join(''))
      const { size } = statSync(path.join(folder, '.bitworker', task.infoHash, 'attestations'))
      t.ok(size <= 56 + PIECES * 16 * (BRANCH_BYTES + 4), `${size} bytes of attestations are kept`)
      t.ok(torrent.stats().computed > 0)
    }
  })
}
