import { once } from 'node:events'
import test from 'tape'
import type { Test } from 'tape'
import { encodeMessages } from '../../extensions/ut_bitworker/codec.ts'
import { CLAIM_LEASE_MS } from '../../extensions/ut_bitworker/constants.ts'
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { LocalTask, UtBitworker, UtBitworkerOptions } from '../../extensions/ut_bitworker/index.ts'
import type { ResultRecord } from '../../extensions/ut_bitworker/record-fields.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/records.ts'
import { encode } from '../../lib/base/bencode.ts'
import type { Wire } from '../../lib/base/wire.ts'
import { bitworkerVectors, fromHex, ofKind, toHex } from '../helpers/bitworker-vectors.ts'
import { delivered, event, INFO_HASH, PEER_ID_A, PEER_ID_B, shakeHands, wirePair } from '../helpers/wire-pair.ts'

const TASK: LocalTask = { digest: new Uint8Array(32).fill(1), pieceCount: 3000, pieceLength: 1000 }
const OTHER_TASK: LocalTask = { ...TASK, digest: new Uint8Array(32).fill(2) }

const result = (index: number): ResultRecord => ({ index, size: 1, digest: TASK.digest })
const claim = (index: number, elapsedMs = 0): ClaimRecord => ({ index, elapsedMs, estimateMs: 0 })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

function use (wire: Wire, opts?: UtBitworkerOptions): UtBitworker {
  wire.use(utBitworker(opts))
  return (wire as unknown as { ut_bitworker: UtBitworker }).ut_bitworker
}

/** Everything that the wire and its extension report, in order. */
function logOf (wire: Wire, ext: UtBitworker): unknown[] {
  const log: unknown[] = []
  ext.on('matched', () => log.push('matched'))
  ext.on('mismatch', () => log.push('mismatch'))
  ext.on('results', results => log.push(['results', results.map(({ index }) => index)]))
  ext.on('claims', claims => log.push(['claims', claims.map(({ index, elapsedMs }) => [index, elapsedMs])]))
  ext.on('releases', indices => log.push(['releases', indices]))
  ext.on('violation', reason => log.push(['violation', reason]))
  wire.on('have', index => log.push(['have', index]))
  return log
}

/** Two peers that have shaken hands: both with extension, b's used in answer to the handshake. */
async function connect (
  t: Test, optsA: UtBitworkerOptions = { task: TASK }, optsB: UtBitworkerOptions = { task: TASK }
) {
  const { a, b } = wirePair(t)
  const extA = use(a, optsA)
  const logA = logOf(a, extA)
  let extB!: UtBitworker
  let logB!: unknown[]
  const ready = Promise.all([event(a, 'extended'), event(b, 'extended')])
  shakeHands(a, b, () => {
    extB = use(b, optsB)
    logB = logOf(b, extB)
  })
  await ready
  return { a, b, extA, extB, logA, logB }
}

/** A peer with the extension, and one driven by hand: `send` takes the bytes of a ut_bitworker message. */
async function connectByHand (
  t: Test, opts: UtBitworkerOptions = { task: TASK }, bitworker: unknown = { v: 1, task: TASK.digest }
) {
  const { a, b } = wirePair(t)
  const ext = use(a, opts)
  const received: Uint8Array[] = []
  class ByHand {
    get name (): string {
      return 'ut_bitworker'
    }

    onMessage (bytes: Uint8Array): void {
      received.push(bytes.slice())
    }
  }
  b.use(ByHand)
  b.extendedHandshake['bitworker'] = bitworker
  const ready = Promise.all([event(a, 'extended'), event(b, 'extended')])
  shakeHands(a, b)
  await ready
  return {
    a,
    b,
    ext,
    log: logOf(a, ext),
    received,
    send: (bytes: Uint8Array) => {
      b.extended('ut_bitworker', bytes)
    }
  }
}

test('the extension can be used like ut_metadata and ut_pex', t => {
  const { a } = wirePair(t)
  const ext = use(a)
  t.equal(ext.name, 'ut_bitworker')
  t.equal(utBitworker().prototype.name, 'ut_bitworker', 'the name is on the prototype')
  t.deepEqual(a.extendedHandshake['bitworker'], { v: 1 })
  t.deepEqual(use(wirePair(t).a, { task: TASK }).state.localTask, TASK)
  t.end()
})

test('the extended handshakes are those of the test vectors', async t => {
  const vectors = ofKind(bitworkerVectors(), 'handshake')
  t.equal(vectors.length, 3)
  for (const { name, frame, task, key, nonce } of vectors) {
    const { a, b } = wirePair(t)
    const digest = Uint8Array.from(Buffer.from(task ?? '', 'hex'))
    use(a, {
      ...(task !== undefined && { task: { ...TASK, digest } }),
      ...(key !== undefined && { identity: { key, nonce: fromHex(nonce!) } })
    })
    const sent: Buffer[] = []
    ;(a as unknown as NodeJS.ReadableStream).on('data', (chunk: Uint8Array) => sent.push(Buffer.from(chunk)))
    const arrived = event(b, 'extended')
    shakeHands(a, b)
    await arrived
    t.equal(toHex(Buffer.concat(sent).subarray(68)), frame, name)
  }
})

test('the snapshot: results and claims before the haves, in any order of queueing', async t => {
  const { a, b, extA, logB } = await connect(t, { task: TASK, now: () => 0 })
  extA.announce([result(4)], [4])
  extA.claim([claim(7)])
  extA.announce([result(2), result(3)], [2])
  await delivered(a, b)
  t.deepEqual(logB, ['matched', ['results', [4, 2, 3]], ['claims', [[7, 0]]], ['have', 4], ['have', 2]])
})

test('nothing is sent before the digests match; then all of it, once', async t => {
  const { a, b, extA, extB, logB } = await connect(t, { task: TASK }, {})
  extA.announce([result(1), result(2)], [1])
  extA.announce([result(1)], [1, 2])
  extA.flush()
  await delivered(a, b)
  t.deepEqual(logB, [])
  extB.setTask(TASK)
  await delivered(b, a)
  await delivered(a, b)
  t.deepEqual(logB, ['matched', ['results', [1, 2]], ['have', 1], ['have', 2]])
})

test('announcements of a listener for matched are in the first batch', async t => {
  const { a, b } = wirePair(t)
  const extA = use(a, { task: TASK })
  extA.announce([result(1)])
  extA.on('matched', () => {
    extA.announce([result(2)], [2])
  })
  const logB = logOf(b, use(b, { task: TASK }))
  const have = event(b, 'have')
  shakeHands(a, b)
  await have
  t.deepEqual(logB, ['matched', ['results', [1, 2]], ['have', 2]])
})

test('a magnet peer gets the task later', async t => {
  const { a, b, extA, extB, logA, logB } = await connect(t, {}, { task: TASK })
  t.deepEqual([extA.state.status, extB.state.status], ['waiting', 'waiting'])
  extB.announce([result(0)], [0])
  extA.setTask(TASK)
  t.equal(extA.state.status, 'matched', 'the peer had told its digest')
  extA.claim([claim(5)])
  extA.flush()
  t.equal((a.extendedHandshake['bitworker'] as { task: Uint8Array }).task, TASK.digest, 'for later extended handshakes')
  const have = event(a, 'have')
  await delivered(a, b)
  await have
  t.deepEqual(logA, ['matched', ['results', [0]], ['have', 0]])
  t.deepEqual(logB.map(entry => Array.isArray(entry) ? (entry as unknown[])[0] : entry), ['matched', 'claims'])
})

test('two magnet peers get the task one after the other', async t => {
  const { a, b, extA, extB, logA, logB } = await connect(t, {}, {})
  extB.setTask(TASK)
  await delivered(b, a)
  t.deepEqual([logA, logB], [[], []])
  extA.setTask(TASK)
  extA.announce([result(9)], [9])
  await delivered(a, b)
  t.deepEqual([logA, logB], [['matched'], ['matched', ['results', [9]], ['have', 9]]])
})

test('the task may come before the handshake', async t => {
  const { a, b } = wirePair(t)
  const extA = use(a)
  extA.setTask(TASK)
  extA.setTask(OTHER_TASK)
  const extB = use(b, { task: TASK })
  const matched = Promise.all([event(extA, 'matched'), event(extB, 'matched')])
  shakeHands(a, b)
  await matched
  t.pass('and the first one stays')
})

test('different tasks: both sides close the connection', async t => {
  const { a, b } = wirePair(t)
  const extA = use(a, { task: TASK })
  const logA = logOf(a, extA)
  const logB = logOf(b, use(b, { task: OTHER_TASK }))
  const closed = Promise.all([event(a, 'close'), event(b, 'close')])
  extA.announce([result(1)], [1])
  shakeHands(a, b)
  await closed
  t.ok(logA.includes('mismatch') || logB.includes('mismatch'), 'one side at least is told why')
  t.deepEqual([...logA, ...logB].filter(entry => entry !== 'mismatch'), [], 'nothing else is said')
})

test('a digest that differs later closes the connection', async t => {
  const { a, send, log } = await connectByHand(t)
  const closed = event(a, 'close')
  send(encodeMessages({ task: OTHER_TASK.digest })[0]!)
  send(encodeMessages({ results: [result(1)] })[0]!)
  await closed
  t.deepEqual(log, ['mismatch'], 'what was in the buffers after it is ignored')
})

test('an extended handshake that arrived before the extension was used', async t => {
  const { a, b } = wirePair(t)
  use(a, { task: TASK }).announce([result(1)], [1])
  // b's owner looks its torrent up first, and a does not wait for b: both of a's handshakes arrive meanwhile.
  Object.assign(a, { peerExtensions: { extended: true } })
  let logB: unknown[] = []
  b.once('extended', () => {
    logB = logOf(b, use(b, { task: TASK }))
    b.handshake(INFO_HASH, PEER_ID_B)
  })
  const have = event(b, 'have')
  a.handshake(INFO_HASH, PEER_ID_A)
  await have
  t.deepEqual(logB, ['matched', ['results', [1]], ['have', 1]])
})

test('a later statement about a piece replaces the queued one', async t => {
  const { received, a, b, ext } = await connectByHand(t, {
    task: TASK,
    now: () => 0,
    schedule: flush => {
      queueMicrotask(flush)
    }
  })
  ext.claim([claim(1, 5), claim(2, 5), claim(3, 5)])
  ext.release([1])
  ext.announce([result(2)])
  await delivered(a, b)
  t.deepEqual(
    received,
    encodeMessages({ results: [result(2)], claims: [claim(3, 5)] }),
    'a claim that ended in the same turn is not sent'
  )
  ext.release([3])
  ext.claim([claim(3, 1)])
  await delivered(a, b)
  t.deepEqual(
    received.slice(1),
    encodeMessages({ releases: [3], claims: [claim(3, 1)] }),
    'a release before the claim that follows it'
  )
})

test('claims tell how long they had been running when they are sent', async t => {
  let time = 1000
  const { ext, a, b, received, send } = await connectByHand(t, { task: TASK, now: () => time }, { v: 1 })
  ext.claim([claim(1, 10)])
  time += 500
  send(encodeMessages({ task: TASK.digest })[0]!)
  await delivered(b, a)
  await delivered(a, b)
  t.deepEqual(received, encodeMessages({ claims: [claim(1, 510)] }))
  t.deepEqual([...ext.state.sentClaims], [[1, { firstElapsedMs: 510, isBackup: false, sentAt: 1500 }]])
})

test('one turn makes one message; a handed-in schedule decides when', async t => {
  const flushes: Array<() => void> = []
  const { ext, a, b, received } = await connectByHand(t, { task: TASK, schedule: flush => { flushes.push(flush) } })
  flushes.splice(0).forEach(flush => { flush() })
  for (const index of upTo(10)) ext.announce([result(index)], [index])
  t.equal(flushes.length, 1)
  await delivered(a, b)
  t.equal(received.length, 0)
  flushes[0]!()
  await delivered(a, b)
  t.deepEqual(received, encodeMessages({ results: upTo(10).map(result) }))
  flushes[0]!()
  await delivered(a, b)
  t.equal(received.length, 1, 'an empty queue sends nothing')
})

test('queued announcements are sent with the next message', async t => {
  const flushes: Array<() => void> = []
  const { ext, a, b, received } = await connectByHand(t, {
    task: TASK,
    now: () => 0,
    schedule: flush => {
      flushes.push(flush)
    }
  })
  flushes.splice(0).forEach(flush => { flush() })
  let waiting = [result(1)]
  ext.pending = () => {
    const results = waiting
    waiting = []
    return { results, haves: [] }
  }
  ext.wake()
  ext.wake()
  t.equal(flushes.length, 1, 'it is asked for soon, once')
  flushes.splice(0).forEach(flush => { flush() })
  waiting = [result(2)]
  ext.claim([claim(3, 0)])
  ext.flush()
  ext.wake()
  flushes.splice(0).forEach(flush => { flush() })
  await delivered(a, b)
  t.deepEqual(
    received,
    [{ results: [result(1)] }, { results: [result(2)], claims: [claim(3, 0)] }].flatMap(encodeMessages),
    'nothing waits: nothing is sent'
  )
})

test('a large snapshot is split, and every have follows all of its results', async t => {
  const { a, b, extA, logB } = await connect(t)
  extA.announce(upTo(2500).map(result), upTo(2500))
  await delivered(a, b)
  const results = logB.slice(1, 4) as Array<[string, number[]]>
  t.deepEqual(
    results.map(([name, indices]) => [name, indices.length]),
    [
      ['results', 1024], ['results', 1024], ['results', 452]
    ]
  )
  t.deepEqual(logB.slice(4), upTo(2500).map(index => ['have', index]))
})

test('claims that lapse are released when asked', async t => {
  let time = 0
  const { ext, log, send, a, b } = await connectByHand(t, { task: TASK, now: () => time })
  send(encodeMessages({ claims: [claim(1), claim(2)] })[0]!)
  await delivered(b, a)
  time = CLAIM_LEASE_MS
  ext.expireClaims()
  ext.expireClaims()
  t.deepEqual(log, [['claims', [[1, 0], [2, 0]]], ['releases', [1, 2]]])
})

test('garbage is ignored twice, and the third time closes the connection', async t => {
  const { a, b, log, send } = await connectByHand(t)
  send(Uint8Array.of(0x64))
  send(encodeMessages({ releases: [TASK.pieceCount] })[0]!)
  send(encodeMessages({ results: [result(1)] })[0]!)
  await delivered(b, a)
  t.deepEqual(log.map(entry => (entry as unknown[])[0]), ['violation', 'violation', 'results'])
  const closed = event(a, 'close')
  send(new Uint8Array(0))
  send(encodeMessages({ results: [result(2)] })[0]!)
  await closed
  t.deepEqual(log.slice(3).map(entry => (entry as unknown[])[0]), ['violation'])
})

test('violations that the owner finds count too', async t => {
  const { a, ext, log } = await connectByHand(t)
  const closed = event(a, 'close')
  for (const number of [1, 2, 3, 4]) ext.reportViolation(`changed result ${number}`)
  await closed
  t.deepEqual(log, [1, 2, 3].map(number => ['violation', `changed result ${number}`]))
})

test('handshakes of every kind never throw', async t => {
  const { ext } = await connectByHand(t, { task: TASK }, {})
  for (const bitworker of [7, [], TASK.digest, { v: 0 }, { v: 1, task: 1 }, { task: {} }, null, undefined]) {
    const { a } = wirePair(t)
    const other = use(a, { task: TASK })
    t.doesNotThrow(() => { other.onExtendedHandshake?.({ bitworker }) })
  }
  for (const handshake of [1, 'x', [], null, undefined]) {
    t.doesNotThrow(() => { ext.onExtendedHandshake?.(handshake as unknown as Record<string, unknown>) })
  }
})

test('a peer that takes the extension back gets nothing, and nothing throws', async t => {
  const { a, b, ext, received } = await connectByHand(t)
  b.extended(0, encode({ m: { ut_bitworker: 0 } }))
  await delivered(b, a)
  t.doesNotThrow(() => {
    ext.announce([result(1)])
    ext.flush()
  })
  await delivered(a, b)
  t.deepEqual(received, [])
})

test('a destroyed wire: everything is ignored', async t => {
  const { a, ext, log } = await connectByHand(t)
  const closed = event(a, 'close')
  ext.close()
  ext.onMessage?.(encodeMessages({ results: [result(1)] })[0]!)
  await closed
  t.doesNotThrow(() => {
    ext.onMessage?.(Uint8Array.of(1))
    ext.onExtendedHandshake?.({ bitworker: 1 })
    ext.announce([result(1)], [1])
    ext.claim([claim(1)])
    ext.release([1])
    ext.setTask(OTHER_TASK)
    ext.expireClaims()
    ext.reportViolation('late')
    ext.flush()
    ext.close()
  })
  t.deepEqual(log, [])
})

test('a listener may close the connection in the middle of a message', async t => {
  const { a, ext, log, send } = await connectByHand(t)
  ext.on('results', () => { ext.close() })
  const closed = event(a, 'close')
  send(encodeMessages({ results: [result(1)], claims: [claim(2)] })[0]!)
  await closed
  t.deepEqual(log, [['results', [1]]])
})

test('an error of a listener is thrown, and the wire continues', async t => {
  const { a, b, ext, log, send } = await connectByHand(t)
  ext.once('results', () => { throw new Error('a bug in a listener') })
  const uncaught = once(process, 'uncaughtException')
  send(encodeMessages({ results: [result(1)] })[0]!)
  send(encodeMessages({ results: [result(2)] })[0]!)
  const [error] = await uncaught as [Error]
  t.equal(error.message, 'a bug in a listener')
  await delivered(b, a)
  t.deepEqual(log, [['results', [1]], ['results', [2]]])
})
