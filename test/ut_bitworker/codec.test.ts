import { createHash } from 'node:crypto'
import fc from 'fast-check'
import test from 'tape'
import type { Test } from 'tape'
import { decodeMessage, encodeMessages } from '../../extensions/ut_bitworker/codec.ts'
import type { Message } from '../../extensions/ut_bitworker/codec.ts'
import { MAX_MESSAGE_BYTES, MAX_RECORDS } from '../../extensions/ut_bitworker/constants.ts'
import { keepsClaim } from '../../extensions/ut_bitworker/index.ts'
import type { ResultRecord } from '../../extensions/ut_bitworker/record-fields.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/records.ts'
import { PeerState } from '../../extensions/ut_bitworker/state.ts'
import { decode, encode } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { rendezvousWeight, seedOf } from '../../lib/scheduling/ranking.ts'
import { parseTask, taskDigest } from '../../lib/task/task.ts'
import { bitworkerVectors, fromHex, messageOf, ofKind, toHex } from '../helpers/bitworker-vectors.ts'

const BOUNDS = { pieceCount: 4, pieceLength: 16_384 }
const DIGEST = new Uint8Array(32).fill(7)

const vectors = bitworkerVectors()
const text = (string: string): Uint8Array => new TextEncoder().encode(string)
const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

/** 'code blame' of what decoding throws; 'nothing' if it does not. */
function refusal (bytes: Uint8Array, bounds?: typeof BOUNDS): string {
  try {
    decodeMessage(bytes, bounds)
    return 'nothing'
  } catch (error) {
    return error instanceof BitWorkerError ? `${error.code} ${error.blame}` : String(error)
  }
}

const REFUSED = 'BW_ERR_PEER_MESSAGE peer'

test('there are vectors of each kind', t => {
  t.deepEqual(
    [...new Set(vectors.map(({ kind }) => kind))],
    ['task', 'legacy', 'handshake', 'message', 'violation', 'attestation', 'batch', 'certificate', 'proof', 'collision', 'weight']
  )
  t.end()
})

test('vectors: task digests', t => {
  for (const { name, info, infoHash, digest, pieceCount, pieceLength } of ofKind(vectors, 'task')) {
    const task = parseTask(Buffer.concat([Buffer.from('d4:info'), text(info), Buffer.from('e')]))
    t.equal(task.infoHash, infoHash)
    t.equal(toHex(task.digest), digest, name)
    t.deepEqual([task.pieceCount, task.pieceLength], [pieceCount, pieceLength], name)
  }
  for (const { name, info, infoHash, digest, command, completeCommand } of ofKind(vectors, 'legacy')) {
    t.equal(sha1(text(info)), infoHash, name)
    t.equal(
      toHex(taskDigest(text(info), { command, ...(completeCommand !== undefined && { completeCommand }) })),
      digest,
      name
    )
  }
  t.end()
})

test('vectors: extended handshakes', t => {
  for (const { name, frame, task, key, nonce } of ofKind(vectors, 'handshake')) {
    const bytes = fromHex(frame)
    t.equal(new DataView(bytes.buffer).getUint32(0), bytes.length - 4, `${name}: length`)
    t.deepEqual([...bytes.subarray(4, 6)], [20, 0], `${name}: ids`)
    const { bitworker } = Object.fromEntries(decode(bytes.subarray(6)) as Map<string, Map<string, unknown>>)
    const state = new PeerState({ localTask: { ...BOUNDS, digest: fromHex(task ?? '') } })
    t.deepEqual(
      state.onHandshake({ bitworker: Object.fromEntries(bitworker!) }),
      [...(key === undefined ? [] : [{ type: 'key' }]), ...(task === undefined ? [] : [{ type: 'matched' }])],
      name
    )
    t.deepEqual(
      state.signing.peer, key === undefined ? null : { key, nonce: fromHex(nonce!) }, `${name}: key and nonce`
    )
  }
  t.end()
})

test('vectors: messages', t => {
  for (const { name, hex, message, decodeOnly } of ofKind(vectors, 'message')) {
    t.deepEqual(decodeMessage(fromHex(hex), BOUNDS), messageOf(message), `${name}: decoded`)
    if (decodeOnly !== true) t.deepEqual(encodeMessages(messageOf(message)).map(toHex), [hex], `${name}: encoded`)
  }
  t.end()
})

test('vectors: violations', t => {
  for (const { name, hex, beforeTask } of ofKind(vectors, 'violation')) {
    t.equal(refusal(fromHex(hex), beforeTask === true ? undefined : BOUNDS), REFUSED, name)
  }
  t.end()
})

test('vectors: weights', t => {
  for (const { name, peerId, index, weight } of ofKind(vectors, 'weight')) {
    t.equal(rendezvousWeight(seedOf(peerId), index), weight, name)
  }
  t.end()
})

test('vectors: claim collisions', t => {
  for (const { name, keeps, localPeerId, remotePeerId, localElapsedMs, remoteElapsedMs, index } of ofKind(
    vectors, 'collision'
  )) {
    const local = { localElapsedMs, localPeerId: fromHex(localPeerId) }
    const remote = { remoteElapsedMs, remotePeerId: fromHex(remotePeerId) }
    t.equal(keepsClaim({ index, ...local, ...remote }), keeps, `${name}: here`)
    const there = {
      index,
      localElapsedMs: remoteElapsedMs,
      localPeerId: remote.remotePeerId,
      remoteElapsedMs: localElapsedMs,
      remotePeerId: local.localPeerId
    }
    t.equal(keepsClaim(there), !keeps, `${name}: there`)
  }
  t.end()
})

test('anything but canonical bencode is rejected', t => {
  const cases: Record<string, Uint8Array> = {
    'nothing at all': text(''),
    'an integer': text('i1e'),
    'a string': text('2:de'),
    'a dictionary without end': text('d'),
    'a string longer than what is left': text('d4:task99:xe'),
    'a string of negative length': text('d-1:e'),
    'a length with a leading zero': text('d1:a01:xe'),
    'a length of 400 digits': text(`d${'9'.repeat(400)}:xe`),
    'an integer with a leading zero': text('d1:ai01ee'),
    'negative zero': text('d1:ai-0ee'),
    'an integer beyond 2^53': text('d1:ai9007199254740993ee'),
    'a fraction': text('d1:ai1.5ee'),
    'a key twice': text('d1:ai1e1:ai1ee'),
    'keys out of order': text('d1:bi1e1:ai1ee'),
    'a key that is no string': text('di1ei1ee'),
    'a key that is not UTF-8': Uint8Array.from([0x64, 0x31, 0x3a, 0xff, 0x30, 0x3a, 0x65]),
    'something after the end': text('de0:'),
    'a task as list': text('d4:tasklee'),
    'an empty task': text('d4:task0:e'),
    'a task of 33 bytes': encode(new Map([['task', new Uint8Array(33)]])),
    'nested too deep': text('d1:a' + 'l'.repeat(16) + 'e'.repeat(16) + 'e'),
    'nested far too deep': text('d1:a' + 'l'.repeat(60_000)),
    '4097 values': text('d1:al' + '0:'.repeat(4_094) + 'ee'),
    'too long': encode(new Map([['zzz', new Uint8Array(MAX_MESSAGE_BYTES)]])),
    'too many results': encode(new Map([['results', new Uint8Array(44 * (MAX_RECORDS + 1))]])),
    'too many claims': encode(new Map([['claims', new Uint8Array(12 * (MAX_RECORDS + 1))]])),
    'too many releases': encode(new Map([['releases', new Uint8Array(4 * (MAX_RECORDS + 1))]])),
    'an index of 2^32 - 1': encode(new Map([['releases', new Uint8Array(4).fill(0xff)]])),
    'a size of 2^64 - 1': encode(new Map([['results', new Uint8Array(44).fill(0xff, 4, 12)]])),
    'a size of 2^32 + 1': encode(
      new Map([['results', Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, ...DIGEST])]])
    )
  }
  for (const [name, bytes] of Object.entries(cases)) t.equal(refusal(bytes, BOUNDS), REFUSED, name)
  t.end()
})

test('the limits themselves are allowed', t => {
  const cases: Record<string, Uint8Array> = {
    'nested 16 deep': text('d1:a' + 'l'.repeat(15) + 'e'.repeat(15) + 'e'),
    '4096 values': text('d1:al' + '0:'.repeat(4_093) + 'ee'),
    '1024 releases': encode(new Map([['releases', new Uint8Array(4 * MAX_RECORDS)]])),
    '65536 bytes': encode(new Map([['zzz', new Uint8Array(MAX_MESSAGE_BYTES - 13)]]))
  }
  for (const [name, bytes] of Object.entries(cases)) t.equal(refusal(bytes, BOUNDS), 'nothing', name)
  t.equal(cases['65536 bytes']!.length, MAX_MESSAGE_BYTES)
  t.end()
})

test('without bounds, task alone is allowed', t => {
  const task = encode(new Map([['task', DIGEST]]))
  t.deepEqual(decodeMessage(task), { task: DIGEST })
  t.deepEqual(decodeMessage(text('d3:zzzi1ee')), {}, 'unknown keys are ignored')
  for (const key of ['results', 'claims', 'releases']) {
    t.equal(refusal(text(`d${key.length}:${key}0:e`)), REFUSED, `${key}, even if empty`)
  }
  t.end()
})

test('decoded values do not keep the received bytes', t => {
  const bytes = encodeMessages({ task: DIGEST, results: [{ index: 1, size: 9, digest: DIGEST }] })[0]!
  const { task, results } = decodeMessage(bytes, BOUNDS)
  bytes.fill(0)
  t.deepEqual(task, DIGEST)
  t.deepEqual(results, [{ index: 1, size: 9, digest: DIGEST }])
  t.equal(results![0]!.digest.buffer.byteLength, 32)
  t.end()
})

test('a message that starts inside a buffer', t => {
  const bytes = encodeMessages({ releases: [3] })[0]!
  const padded = new Uint8Array(bytes.length + 5)
  padded.set(bytes, 3)
  t.deepEqual(decodeMessage(padded.subarray(3, -2), BOUNDS), { releases: [3] })
  t.deepEqual(decodeMessage(Buffer.from(bytes), BOUNDS), { releases: [3] }, 'a Buffer')
  t.end()
})

test('nothing to say makes no message', t => {
  t.deepEqual(encodeMessages({}), [])
  t.deepEqual(encodeMessages({ results: [], claims: [], releases: [] }), [])
  t.end()
})

test('times are rounded to what a u32 holds', t => {
  const claims = [{ index: 0, elapsedMs: 12.9, estimateMs: Infinity }, { index: 1, elapsedMs: -1, estimateMs: 2 ** 40 }]
  t.deepEqual(decodeMessage(encodeMessages({ claims })[0]!, BOUNDS).claims,
    [{ index: 0, elapsedMs: 12, estimateMs: 2 ** 32 - 1 }, { index: 1, elapsedMs: 0, estimateMs: 2 ** 32 - 1 }])
  t.end()
})

test('a caller cannot send values that do not fit a record', t => {
  const cases: Record<string, Message> = {
    'a negative index': { releases: [-1] },
    'an index of 2^32': { releases: [2 ** 32] },
    'half an index': { claims: [{ index: 0.5, elapsedMs: 0, estimateMs: 0 }] },
    'a negative size': { results: [{ index: 0, size: -1, digest: DIGEST }] },
    'a short digest': { results: [{ index: 0, size: 1, digest: DIGEST.subarray(1) }] },
    'a long task digest': { task: new Uint8Array(33) }
  }
  for (const [name, message] of Object.entries(cases)) {
    t.throws(
      () => encodeMessages(message),
      (error: unknown) => error instanceof BitWorkerError && error.code === 'BW_ERR_RECORD' && error.blame === 'usage',
      name
    )
  }
  t.end()
})

const result = (index: number): ResultRecord => ({ index, size: index, digest: DIGEST })
const claim = (index: number): ClaimRecord => ({ index, elapsedMs: index, estimateMs: 2 * index })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

test('more than 1024 records are split, none lost, in order', t => {
  const bounds = { pieceCount: 10_000, pieceLength: 10_000 }
  const message = { task: DIGEST, results: upTo(1025).map(result), releases: upTo(1024), claims: upTo(2049).map(claim) }
  const parts = encodeMessages(message).map(bytes => decodeMessage(bytes, bounds))
  t.deepEqual(
    parts.map(part => [part.task?.length, part.results?.length, part.releases?.length, part.claims?.length]),
    [
      [32, 1024, undefined, undefined],
      [undefined, 1, 1024, 1024],
      [undefined, undefined, undefined, 1024],
      [undefined, undefined, undefined, 1]
    ]
  )
  t.deepEqual(parts.flatMap(part => part.results ?? []), message.results)
  t.deepEqual(parts.flatMap(part => part.releases ?? []), message.releases)
  t.deepEqual(parts.flatMap(part => part.claims ?? []), message.claims)
  t.end()
})

test('a full message fits the limit', t => {
  const messages = encodeMessages({
    task: DIGEST, results: upTo(1024).map(result), releases: upTo(1024), claims: upTo(1024).map(claim)
  })
  t.equal(messages.length, 1)
  t.ok(messages[0]!.length <= MAX_MESSAGE_BYTES, `${messages[0]!.length} bytes`)
  t.end()
})

const BIG = { pieceCount: 2 ** 32, pieceLength: Number.MAX_SAFE_INTEGER }
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const anySize = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const anyMessage: fc.Arbitrary<Message> = fc.record({
  task: bytes32,
  results: fc.array(fc.record({ index: u32, size: anySize, digest: bytes32 }), { minLength: 1 }),
  claims: fc.array(fc.record({ index: u32, elapsedMs: u32, estimateMs: u32 }), { minLength: 1 }),
  releases: fc.array(u32, { minLength: 1 })
}, { requiredKeys: [] })

test('property: decoding undoes encoding', t => {
  check(t, 100, anyMessage, message => {
    const decoded = encodeMessages(message).map(bytes => decodeMessage(bytes, BIG))
    return decoded.length <= 1 && JSON.stringify(plain(decoded[0] ?? {})) === JSON.stringify(plain(message))
  })
})

test('property: a damaged message is decoded or refused, never anything else', t => {
  const original = encodeMessages({
    task: DIGEST, results: [result(1), result(2)], releases: [1], claims: [claim(3)]
  })[0]!
  const changes = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  check(t, 3_000, fc.tuple(changes, fc.nat(original.length)), ([changed, length]) => {
    const bytes = original.slice()
    for (const [at, byte] of changed) bytes[at] = byte
    return isDecodedOrRefused(bytes) && isDecodedOrRefused(bytes.subarray(0, length))
  })
})

test('property: so is anything else', t => {
  check(t, 1_000, fc.uint8Array({ maxLength: 300 }), isDecodedOrRefused)
})

function check<T> (t: Test, numRuns: number, values: fc.Arbitrary<T>, holds: (value: T) => boolean): void {
  const seed = Math.trunc(Math.random() * 2 ** 31)
  t.doesNotThrow(() => { fc.assert(fc.property(values, holds), { seed, numRuns }) }, `seed ${seed}`)
  t.end()
}

function isDecodedOrRefused (bytes: Uint8Array): boolean {
  return ['nothing', REFUSED].includes(refusal(bytes, BOUNDS)) && ['nothing', REFUSED].includes(refusal(bytes))
}

function plain ({ task, results, releases, claims }: Message): unknown {
  return [
    task && toHex(task),
    results?.map(({ index, size, digest }) => [index, size, toHex(digest)]),
    releases,
    claims?.map(({ index, elapsedMs, estimateMs }) => [index, elapsedMs, estimateMs])
  ]
}
