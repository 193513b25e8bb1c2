// docs/ut_bitworker.md against the implementation: every row of "Violations and closing" is played by a peer driven by
// hand, every limit compared, and every sentence with MUST is played here or elsewhere, or listed with the reason why
// not.
import { readFileSync } from 'node:fs'
import test from 'tape'
import type { Test } from 'tape'
import * as constants from '../../extensions/ut_bitworker/constants.ts'
import { packAttestation } from '../../extensions/ut_bitworker/index.ts'
import { RECORD_KEYS, recordBytes } from '../../extensions/ut_bitworker/records.ts'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { sha256 } from '../../lib/base/digest.ts'
import { createTask } from '../../lib/index.ts'
import { attest, wireProofBytes } from '../../lib/trust/attest.ts'
import { keyOf } from '../helpers/attesters.ts'
import { valueInCode } from '../helpers/constants.ts'
import { within } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { HostilePeer, frame, latin1, resultRecord, u32 } from '../helpers/hostile-peer.ts'
import { tablesUnder } from '../helpers/markdown.ts'
import { allDone, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'
import { WIRE_MUSTS, checkMusts } from './musts.ts'

const document = readFileSync('docs/ut_bitworker.md', 'utf8')

test('the records are those of the table, in the order of the text', t => {
  const [rows] = tablesUnder(document, 'ut_bitworker messages')
  const records = rows!
    .slice(1)
    .map(([key = '', value = '']) => [key.replaceAll('`', ''), Number(/n × (\d+) bytes/.exec(value)?.[1])])
  t.deepEqual(Object.fromEntries(records), Object.fromEntries(RECORD_KEYS.map(key => [key, recordBytes(key)])))
  const [, order = ''] = /in the order \*\*([^*]+)\*\*/.exec(document) ?? []
  t.deepEqual(order.split(',').map(key => key.trim().replaceAll('`', '')), ['task', ...RECORD_KEYS])
  t.end()
})

const inCode = (file: string, name: string): number => valueInCode({ file, name, value: '' })

test('limits', t => {
  const values: Array<[words: string, value: number]> = [
    ['bytes of a message', constants.MAX_MESSAGE_BYTES],
    ['records under one key', constants.MAX_RECORDS],
    ['nesting of a message', constants.MAX_DEPTH],
    ['values in a message', constants.MAX_TOKENS],
    ['live claims of a peer', constants.MAX_CLAIMS],
    ['live relayed claims on one connection', constants.MAX_RELAYS],
    ['live relayed claims for one piece', constants.MAX_PIECE_RELAYS],
    ['named neighbours of a peer', constants.MAX_NEIGHBOURS],
    ['certificates on one connection', constants.MAX_MEMBERS],
    ['attestations of a peer at once', constants.ATTESTATION_BURST],
    ['attestations of a peer per second', constants.ATTESTATIONS_PER_SECOND],
    ['attestations of a fellow member at once', constants.MEMBER_ATTESTATION_BURST],
    ['attestations of a fellow member per second', constants.MEMBER_ATTESTATIONS_PER_SECOND],
    ['pieces that a peer gives up on one connection', constants.MAX_FAILURES],
    ['seconds until a claim', constants.CLAIM_LEASE_MS / 1000],
    ['seconds between renewals', constants.CLAIM_RENEW_MS / 1000],
    ['violations', constants.MAX_VIOLATIONS],
    ['bytes of a block', inCode('lib/download/assembly.ts', 'BLOCK_BYTES')],
    ['bytes of a request', inCode('lib/connections/block-queues.ts', 'MAX_BLOCK_BYTES')],
    ['bytes of a BitTorrent message', inCode('lib/connections/wire-guards.ts', 'MAX_MESSAGE_BYTES')],
    ['bitfields, have-all and have-none', inCode('lib/connections/wire-limits.ts', 'MAX_BITFIELDS')],
    ['bytes of the info dictionary', inCode('lib/task/task.ts', 'MAX_INFO_BYTES')]
  ]
  const [rows] = tablesUnder(document, 'Limits')
  t.equal(rows!.length, values.length)
  rows!.forEach(([limit = '', value = ''], i) => {
    t.ok(limit.startsWith(values[i]![0]), limit)
    t.equal(Number(value.replaceAll(' ', '')), values[i]![1], `${limit}: ${value}`)
  })
  t.end()
})

//
// VIOLATIONS AND CLOSING
//

const task = createTask({ name: 'out.bin', command: 'true', parts: 100, pieceLength: 32_768 })
const SIZE = 20_000
const OTHER_DIGEST = Buffer.alloc(32, 7)

/** Does what a row says, on a connection that has been introduced. */
type Play = (hostile: HostilePeer, victim: Peer) => void | Promise<void>

interface Staging {
  play: Play
  /** nothing is sent before: not even the handshake */
  raw?: boolean
  /** default: any */
  peerId?: (victim: Peer) => Uint8Array
  /** the receiver has all pieces; default: none */
  isFull?: boolean
  /** keys of the extended handshake that are not the usual ones */
  handshake?: Record<string, Encodable>
}

const say = (dict: Record<string, Encodable>): Staging => ({ play: hostile => { hostile.bitworker(dict) } })
const sayRaw = (text: string): Staging => ({ play: hostile => { hostile.extended('ut_bitworker', latin1(text)) } })
const send = (...frames: Uint8Array[]): Staging => ({ play: hostile => { hostile.send(...frames) } })
const greet = (handshake: Record<string, Encodable>): Staging => ({ handshake, play: () => {} })
/** A handshake without BEP 6, but for the peer id. */
const PLAIN = Buffer.concat([latin1('\x13BitTorrent protocol\0\0\0\0\0\x10\0\0'), Buffer.from(task.infoHash, 'hex')])
const claims = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, index) => u32(index, 0, 0)))
const relay = (peerId: Uint8Array, kind = 0): Buffer => Buffer.concat([u32(0, 0, 0, 0), Uint8Array.of(kind), peerId])
const nested = (depth: number): Encodable => depth === 0 ? 1 : [nested(depth - 1)]
const ask = (...numbers: number[]): Staging => ({
  play: hostile => {
    hostile.send(frame(2), frame(6, u32(...numbers)))
  },
  isFull: true
})
const signer = keyOf('hostile')
const named = { task: task.digest, v: 1, key: Buffer.from(signer.key, 'hex'), nonce: Buffer.alloc(16, 6) }
const introduced = { handshake: { bitworker: named } }
const attestation = ({ index = 0, size = 100, kind = 0, basis = 0 } = {}): Buffer =>
  Buffer.concat([resultRecord(index, size), Uint8Array.of(kind), Buffer.alloc(32, basis), Buffer.alloc(96, 7)])
const statement = { index: 0, size: 0, digest: sha256(Buffer.alloc(0)), kind: 0 as const, basis: null }
const signed = packAttestation(attest(task.digest, statement, signer))
const batch = (count: number): Buffer => Buffer.concat([Uint8Array.of(count), Buffer.alloc(64)])
/** The right one, once the victim has told its key. */
async function proofFor (hostile: HostilePeer, victim: Peer): Promise<Uint8Array> {
  await within(hostile.until(() => hostile.theirNonce !== null), "the victim's nonce")
  return signer.sign(wireProofBytes({
    taskDigest: task.digest,
    senderNonce: named.nonce,
    receiverNonce: hostile.theirNonce!,
    senderPeerId: hostile.peerId,
    receiverPeerId: idOf(victim)
  }))
}
/** Of piece 1; the bytes are those of its line. */
const failure = (...line: number[]): Buffer =>
  Buffer.concat([u32(1), Uint8Array.of(1, 1, ...line), Buffer.alloc(122 - line.length)])
const idOf = ({ client }: Peer): Buffer => Buffer.from(client.peerId, 'hex')

const PLAYS: Record<string, Staging[]> = {
  'a message with an unknown id': [send(...[10, 11, 12, 18, 19, 21, 200, 255].map(id => frame(id, Buffer.alloc(50))))],
  'an extended message with an id that was not given out': [{ play: hostile => { hostile.extended(77, latin1('junk')) } }],
  'unknown keys in a `ut_bitworker` message': [say({ aaa: [{ x: 1 }], attests: 1, doubts: '', inputs: {}, zzz: -1 })],
  '`de` before or after the digests are known': [say({}), { handshake: { bitworker: { v: 1 } }, play: hostile => { hostile.bitworker({}) } }],
  'the same result again': [{ play: hostile => { for (let i = 0; i < 5; i++) hostile.bitworker({ results: resultRecord(0) }) } }],
  'the same digest again': [{ play: hostile => { for (let i = 0; i < 5; i++) hostile.bitworker({ task: task.digest }) } }],
  'a release without a claim': [say({ releases: u32(0, 1, 2, 3) })],
  'a 65th live claim': [{
    play: async (hostile, victim) => {
      hostile.bitworker({ claims: claims(65) })
      await hostile.heard()
      if (victim.torrent.stats().claimed > 64) throw new Error('it counted')
    }
  }],
  'a 257th neighbour': [say({ neighbours: Buffer.concat(Array.from({ length: 257 }, (_, i) => Buffer.concat([Buffer.alloc(16), u32(i)]))) })],
  'a withdrawal or `parted` of what was never there': [say({ parted: Buffer.alloc(20, 1), withdrawals: Buffer.concat([u32(0), Buffer.alloc(20, 1)]) })],
  'a relay about the receiver itself or a neighbour of it': [{
    play: (hostile, victim) => {
      hostile.bitworker({ relays: Buffer.concat([relay(idOf(victim)), relay(hostile.peerId)]) })
    }
  }],
  'a backup for a piece that the peer has claimed': [say({ backups: u32(0, 0, 0), claims: u32(0, 0, 0) })],
  'a proof of a key that the peer has not told, or a second proof': [say({ proof: Buffer.alloc(64) }), {
    ...introduced,
    play: async (hostile, victim) => {
      hostile.bitworker({ proof: await proofFor(hostile, victim) })
      hostile.bitworker({ proof: Buffer.alloc(128) })
    }
  }],
  'a 65th certificate': [{ ...introduced, play: hostile => { hostile.bitworker({ members: Buffer.alloc(65 * 128) }) } }],
  'more attestations than the limits allow': [{ ...introduced, play: hostile => { for (let i = 0; i < 20; i++) hostile.bitworker({ attestations: Buffer.concat(Array.from({ length: 200 }, () => signed)) }) } }],
  'a second failure of a piece, and those of more than 1024 pieces': [say({ failures: Buffer.concat([failure(), failure()]) })],
  'a have bit without a result': [send(frame(4, u32(0)))],
  'a request for a piece that the receiver does not have': [{ ...ask(0, 0, 16), isFull: false }],
  'a request of 0 bytes': [ask(0, 0, 0)],
  'a request beyond the end of the piece': [ask(0, SIZE - 10, 11), ask(0, SIZE, 1), ask(0, 2 ** 32 - 1, 16)],
  '`reject`, `suggest` or `allowed-fast` for a piece that there is not': [send(frame(16, u32(100, 0, 16)), frame(13, u32(100)), frame(17, u32(2 ** 32 - 1)))],
  '`lt_donthave` for a piece that there is not': [{ play: hostile => { hostile.extended('lt_donthave', u32(100)) } }],
  'a payload that is not canonical bencode': [sayRaw('d8:releases4:\0\0\0\x006:claims0:e'), sayRaw('d3:zzzi007ee'), sayRaw('de '), sayRaw('d'), sayRaw('')],
  'a payload that is not a dictionary': [sayRaw('le'), sayRaw('i1e'), sayRaw('0:')],
  'a payload of more than 65 536 bytes': [say({ zzz: Buffer.alloc(65_537) })],
  'a payload nested deeper than 16': [say({ zzz: nested(16) })],
  'a payload of more than 4096 values': [say({ zzz: Array.from({ length: 4097 }, () => 1) })],
  'more than 1024 records under one key': [say({ releases: Buffer.alloc(4 * 1025) })],
  '`task` that is not a string of 32 bytes': [say({ task: Buffer.alloc(31) }), say({ task: 1 }), greet({ bitworker: { task: 'x', v: 1 } })],
  'an empty `task`': [say({ task: '' })],
  '`bitworker` in the extended handshake that is not a dictionary': [greet({ bitworker: 1 }), greet({ bitworker: [] }), greet({ bitworker: 'v' })],
  '`bitworker` without `v`, or with `v` below 1': [greet({ bitworker: {} }), greet({ bitworker: { v: 0 } }), greet({ bitworker: { v: 'x' } })],
  'a known key other than `task` before both digests are known': [
    { handshake: { bitworker: { v: 1 } }, play: hostile => { hostile.bitworker({ releases: u32(0) }) } },
    { handshake: { bitworker: { v: 1 } }, play: hostile => { hostile.bitworker({ claims: '' }) } }
  ],
  'a known key that is not a string': RECORD_KEYS.map(key => say({ [key]: [1] })),
  'a known key whose length is not a multiple of its record': RECORD_KEYS.map(key => say({ [key]: Buffer.alloc(recordBytes(key) + 1) })),
  'a relay of a kind other than 0 and 1': [say({ relays: relay(Buffer.alloc(20, 1), 2) })],
  'an attestation of a kind above 2': [say({ attestations: attestation({ kind: 3 }) }), say({ attestations: attestation({ kind: 255 }) })],
  'a branch with a position above 15': [say({ branches: Buffer.concat([signed, Uint8Array.of(16), Buffer.alloc(128)]) })],
  'a batch of fewer than 2 or more than 16 results, of more than the message has, or with two of one piece': [
    say({ batches: batch(1), results: resultRecord(0) }),
    say({ batches: batch(17), results: Buffer.concat(Array.from({ length: 17 }, (_, index) => resultRecord(index))) }),
    say({ batches: batch(2), results: resultRecord(0) }),
    say({ batches: Buffer.concat([batch(2), batch(2)]), results: Buffer.concat([0, 1, 2].map(i => resultRecord(i))) }),
    say({ batches: batch(2), results: Buffer.concat([resultRecord(0), resultRecord(0)]) })
  ],
  'a failure whose line is not UTF-8, or with bytes other than zero after it': [say({ failures: failure(0xff) }), say({ failures: failure(97, 0, 98) })],
  "an attestation with a basis in a task that reads no other task's output": [say({ attestations: attestation({ basis: 1 }) })],
  'a `key` that is not a string of 32 bytes, a `nonce` that is not one of 16, or one without the other': [
    { key: Buffer.alloc(31), nonce: Buffer.alloc(16) },
    { key: Buffer.alloc(32), nonce: Buffer.alloc(17) },
    { key: 1, nonce: Buffer.alloc(16) },
    { key: Buffer.alloc(32) },
    { nonce: Buffer.alloc(16) }
  ].map(keys => greet({ bitworker: { task: task.digest, v: 1, ...keys } })),
  'another `key` or `nonce` than before': [{
    ...introduced,
    play: hostile => {
      hostile.extended(0, encode({ bitworker: { ...named, nonce: Buffer.alloc(16, 9) } }))
    }
  }],
  'an index that is not below the piece count': [
    say({ attestations: attestation({ index: 100 }) }),
    say({ asks: u32(100) }),
    say({ results: resultRecord(100) }),
    say({ claims: u32(100, 0, 0) }),
    say({ releases: u32(100) }),
    say({ backups: u32(100, 0, 0) }),
    say({ relays: Buffer.concat([u32(100, 0, 0, 0), Buffer.alloc(21)]) }),
    say({ withdrawals: Buffer.concat([u32(100), Buffer.alloc(20)]) })
  ],
  'a size above `piece length`': [say({ attestations: attestation({ size: 32_769 }) }), say({ results: resultRecord(0, 32_769) })],
  'size 0 with another digest than the SHA-256 of the empty string': [say({ results: resultRecord(0, 0) })],
  'another result for a piece than announced before': [say({ results: Buffer.concat([resultRecord(0, 100), resultRecord(0, 101)]) })],
  '`have` for a piece that there is not': [send(frame(4, u32(100))), send(frame(4, u32(2 ** 32 - 1)))],
  'a block that was not requested': [send(frame(7, Buffer.concat([u32(0, 0), Buffer.alloc(100)])))],
  'a digest of another task': [greet({ bitworker: { task: OTHER_DIGEST, v: 1 } })],
  'two different digests': [say({ task: OTHER_DIGEST })],
  'no extension bit in the handshake': [{
    raw: true, play: hostile => { hostile.send(latin1('\x13BitTorrent protocol\0\0\0\0\0\0\0\x04'), Buffer.from(task.infoHash, 'hex'), hostile.peerId) }
  }],
  'an extended handshake without `ut_bitworker`': [greet({ m: { ut_metadata: 2 } })],
  "the receiver's own peer id": [{ peerId: idOf, play: () => {} }],
  'a second bitfield, have-all or have-none': [send(frame(15), frame(15)), send(frame(5, Buffer.alloc(13)), frame(14))],
  'a 17th bitfield, have-all or have-none': [send(...Array.from({ length: 17 }, () => frame(15)))],
  'have-all or have-none without BEP 6': [14, 15].map(id => ({ raw: true, play: (hostile: HostilePeer) => { hostile.send(PLAIN, hostile.peerId, frame(id)) } })),
  'a bitfield of another length, or with spare bits set': [send(frame(5, Buffer.alloc(12))), send(frame(5, Buffer.alloc(13, 0xff)))],
  'a message with an id of the table and of another length': [
    ...[0, 1, 2, 3, 14, 15].map(id => send(frame(id, Buffer.alloc(1)))),
    ...[4, 6, 7, 8, 13, 16, 17].map(id => send(frame(id, Buffer.alloc(3)))),
    send(frame(20))
  ],
  'a BitTorrent message of more than 1 MiB': [send(u32(2 ** 20 + 1)), send(u32(2 ** 31)), send(u32(2 ** 32 - 1))],
  'a request of more than 128 KiB': [ask(0, 0, 131_073)],
  'more than 100 keep-alives at once': [send(Buffer.alloc(4000))],
  'an extended handshake that is not a dictionary': [{ play: hostile => { hostile.extended(0, latin1('le')) } }],
  'nothing at all for 4 minutes': []
}

/** One play: what the victim did. */
async function verdictOf (t: Test, victim: Peer, { play, raw, peerId, handshake = {} }: Staging): Promise<string> {
  let violations = 0
  const count = (): void => { violations++ }
  victim.torrent.on('strike', count)
  const hostile = await HostilePeer.connect(t, victim, task, peerId === undefined ? {} : { peerId: peerId(victim) })
  try {
    if (raw !== true) await within(hostile.introduce(handshake), 'the handshakes')
    await play(hostile, victim)
    await within(raw === true ? hostile.closed() : hostile.heard(), 'an answer, or the end')
    if (hostile.isClosed) return 'close'
    return violations === 0 ? 'ignore' : violations === 1 ? 'violation' : `${violations} violations`
  } finally {
    victim.torrent.off('strike', count)
    hostile.socket.destroy()
  }
}

test('violations and closing, row by row', async t => {
  const [rows] = tablesUnder(document, 'Violations and closing')
  t.deepEqual(rows!.map(([what]) => what), Object.keys(PLAYS))
  const empty = await createPeer(t, task)
  const executor = new FakeExecutor(() => ({ stdout: Buffer.alloc(SIZE) }))
  const full = await createPeer(t, task, { compute: { executor } })
  await ready(empty)
  await allDone([full])
  for (const [what = '', receiver = ''] of rows!) {
    for (const staging of PLAYS[what]!) {
      const verdict = await verdictOf(t, staging.isFull === true ? full : empty, staging)
      const isRight = receiver === 'may close' ? /^(?:close|ignore|violation)$/.test(verdict) : verdict === receiver
      t.ok(isRight, `${what}: ${receiver} (${verdict})`)
    }
  }
  for (const { client, torrent } of [empty, full]) t.notOk(client.destroyed || torrent.destroyed, 'and it goes on')
})

test('at the third violation the connection is closed', async t => {
  const victim = await createPeer(t, task)
  await ready(victim)
  const hostile = await (await HostilePeer.connect(t, victim, task)).introduce()
  hostile.bitworker({ task: '' })
  hostile.bitworker({ releases: '1' })
  await hostile.heard()
  t.notOk(hostile.isClosed, 'not at the second one')
  hostile.bitworker({ releases: u32(100) })
  await within(hostile.closed(), 'the end')
  t.pass('at the third')
})

//
// EVERY MUST
//

test('each sentence with MUST is played, or listed with a reason', t => {
  checkMusts(t, document, WIRE_MUSTS, PLAYS)
  t.end()
})
