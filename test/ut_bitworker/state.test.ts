import fc from 'fast-check'
import test from 'tape'
import { encodeMessages } from '../../extensions/ut_bitworker/codec.ts'
import type { Message } from '../../extensions/ut_bitworker/codec.ts'
import { CLAIM_LEASE_MS, MAX_CLAIMS, MAX_FAILURES, MAX_NEIGHBOURS, MAX_RELAYS } from '../../extensions/ut_bitworker/constants.ts'
import type { PeerEvent } from '../../extensions/ut_bitworker/peer-events.ts'
import type { ResultRecord } from '../../extensions/ut_bitworker/record-fields.ts'
import type { ClaimRecord, RelayRecord } from '../../extensions/ut_bitworker/records.ts'
import { PeerState } from '../../extensions/ut_bitworker/state.ts'
import type { LocalTask } from '../../extensions/ut_bitworker/state.ts'

const DIGEST = new Uint8Array(32).fill(1)
const OTHER_DIGEST = new Uint8Array(32).fill(2)
const TASK: LocalTask = { digest: DIGEST, pieceCount: 200, pieceLength: 1000 }
const HANDSHAKE = { m: { ut_bitworker: 1 }, bitworker: { v: 1, task: DIGEST } }

const result = (index: number): ResultRecord => ({ index, size: 1, digest: DIGEST })
const claim = (index: number, elapsedMs = 0, estimateMs = 0): ClaimRecord => ({ index, elapsedMs, estimateMs })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

function matched (): PeerState {
  const state = new PeerState({ localTask: TASK })
  state.onHandshake(HANDSHAKE)
  return state
}

function receive (state: PeerState, message: Message, now = 0): PeerEvent[] {
  return encodeMessages(message).flatMap(bytes => state.onMessage(bytes, now))
}

const types = (events: PeerEvent[]): string[] => events.map(({ type }) => type)

test('the digests match: both known at the handshake', t => {
  const state = new PeerState({ localTask: TASK })
  t.equal(state.status, 'waiting')
  t.deepEqual(state.onHandshake(HANDSHAKE), [{ type: 'matched' }])
  t.equal(state.status, 'matched')
  t.deepEqual(state.onHandshake(HANDSHAKE), [], 'matched happens once')
  t.deepEqual(receive(state, { task: DIGEST }), [])
  t.end()
})

test('the digests match: the peer had only a magnet link', t => {
  const state = new PeerState({ localTask: TASK })
  t.deepEqual(state.onHandshake({ bitworker: { v: 1 } }), [])
  t.deepEqual(
    receive(state, { task: DIGEST, results: [result(1)] }),
    [{ type: 'matched' }, { type: 'results', results: [result(1)] }],
    'results may come in the same message'
  )
  t.end()
})

test('the digests match: we had only a magnet link', t => {
  const state = new PeerState()
  t.deepEqual(state.onHandshake(HANDSHAKE), [])
  t.equal(state.status, 'waiting')
  t.deepEqual(state.setLocalTask(TASK), [{ type: 'matched' }])
  t.deepEqual(state.setLocalTask({ ...TASK, digest: OTHER_DIGEST }), [], 'a task does not change')
  t.equal(state.localTask, TASK)
  t.equal(state.status, 'matched')
  t.end()
})

test('the digests match: both had only a magnet link', t => {
  const state = new PeerState()
  t.deepEqual(state.onHandshake({ bitworker: { v: 1 } }), [])
  t.deepEqual(receive(state, { task: DIGEST }), [])
  t.deepEqual(state.setLocalTask(TASK), [{ type: 'matched' }])
  t.end()
})

test('the digests differ', t => {
  const mismatch = [{ type: 'mismatch' }]
  const other = { bitworker: { v: 1, task: OTHER_DIGEST } }

  const atHandshake = new PeerState({ localTask: TASK })
  t.deepEqual(atHandshake.onHandshake(other), mismatch, 'at the handshake')
  t.equal(atHandshake.status, 'mismatched')

  t.deepEqual(
    receive(new PeerState({ localTask: TASK }), { task: OTHER_DIGEST, results: [result(1)] }), mismatch, 'in a message'
  )

  const late = new PeerState()
  late.onHandshake(other)
  t.deepEqual(late.setLocalTask(TASK), mismatch, 'when our metadata is there')

  const changed = matched()
  receive(changed, { claims: [claim(1)] })
  t.deepEqual(changed.onHandshake(other), mismatch, 'in a later handshake')
  t.equal(changed.claims.size, 0)

  const two = new PeerState()
  two.onHandshake(HANDSHAKE)
  t.deepEqual(receive(two, { task: OTHER_DIGEST }), mismatch, 'two from one peer, before we know ours')
  t.end()
})

test('after a mismatch nothing counts', t => {
  const state = new PeerState({ localTask: TASK })
  state.onHandshake({ bitworker: { v: 1, task: OTHER_DIGEST } })
  t.deepEqual(state.onHandshake(HANDSHAKE), [])
  t.deepEqual(receive(state, { task: DIGEST, results: [result(1)] }), [])
  t.deepEqual(state.onMessage(Uint8Array.of(1), 0), [])
  t.deepEqual(state.setLocalTask(TASK), [])
  t.equal(state.status, 'mismatched')
  t.end()
})

test('handshakes that are none', t => {
  const violations: Record<string, unknown> = {
    'bitworker is a number': { bitworker: 7 },
    'bitworker is a list': { bitworker: [] },
    'bitworker is a string': { bitworker: DIGEST },
    'no v': { bitworker: { task: DIGEST } },
    'v is 0': { bitworker: { v: 0, task: DIGEST } },
    'v is negative': { bitworker: { v: -1, task: DIGEST } },
    'v is a fraction': { bitworker: { v: 1.5, task: DIGEST } },
    'v is a string': { bitworker: { v: Uint8Array.of(0x31), task: DIGEST } },
    'task is short': { bitworker: { v: 1, task: DIGEST.subarray(1) } },
    'task is a number': { bitworker: { v: 1, task: 5 } },
    'task is a list': { bitworker: { v: 1, task: [...DIGEST] } },
    'task is null': { bitworker: { v: 1, task: null } }
  }
  for (const [name, handshake] of Object.entries(violations)) {
    const state = new PeerState({ localTask: TASK })
    t.deepEqual(types(state.onHandshake(handshake)), ['violation'], name)
    t.deepEqual(types(state.onHandshake(HANDSHAKE)), ['matched'], `${name}: it was ignored`)
  }
  for (const handshake of [undefined, null, 5, 'x', [], {}, DIGEST, { m: 1 }, Object.create(null)]) {
    t.deepEqual(
      new PeerState({ localTask: TASK }).onHandshake(handshake), [], `says nothing: ${JSON.stringify(handshake)}`
    )
  }
  t.end()
})

test('a later version is spoken to like this one', t => {
  const state = new PeerState({ localTask: TASK })
  t.deepEqual(state.onHandshake({ bitworker: { v: 2, task: DIGEST, more: [] } }), [{ type: 'matched' }])
  t.end()
})

test('records before the digests are known are a violation', t => {
  for (const message of [{ results: [result(1)] }, { claims: [claim(1)] }, { releases: [1] }]) {
    const key = Object.keys(message)[0]!
    const waiting = new PeerState({ localTask: TASK })
    t.deepEqual(types(receive(waiting, message)), ['violation'], `${key} before the peer's`)
    t.equal(waiting.claims.size, 0)

    const magnet = new PeerState()
    magnet.onHandshake(HANDSHAKE)
    t.deepEqual(types(receive(magnet, message)), ['violation'], `${key} before ours`)
  }
  const magnet = new PeerState()
  receive(magnet, { task: DIGEST, releases: [1] })
  t.deepEqual(magnet.setLocalTask(TASK), [], 'the whole message was ignored, the digest too')
  t.end()
})

test('a violation is ignored as a whole', t => {
  const state = matched()
  const events = receive(state, { results: [result(0)], claims: [claim(1), claim(TASK.pieceCount)] })
  t.deepEqual(types(events), ['violation'])
  t.ok(events[0]!.type === 'violation' && events[0].reason.includes('piece 200'), 'it says why')
  t.equal(state.claims.size, 0)
  t.equal(state.status, 'matched')
  t.end()
})

test('a message without records says nothing', t => {
  t.deepEqual(matched().onMessage(new TextEncoder().encode('de'), 0), [])
  t.deepEqual(matched().onMessage(new TextEncoder().encode('d6:claims0:8:releases0:7:results0:e'), 0), [])
  t.end()
})

test('claims: new, renewed, released, ended by a result', t => {
  const state = matched()
  t.deepEqual(receive(state, { claims: [claim(1, 10, 99), claim(2)] }, 5), [
    { type: 'claims', claims: [claim(1, 10, 99), claim(2)] }
  ])
  t.deepEqual(receive(state, { claims: [claim(1, 3010, 98)] }, 3005), [
    { type: 'claims', claims: [claim(1, 3010, 98)] }
  ])
  t.deepEqual([...state.claims], [
    [1, { firstElapsedMs: 10, elapsedMs: 3010, estimateMs: 98, isBackup: false, receivedAt: 3005 }],
    [2, { firstElapsedMs: 0, elapsedMs: 0, estimateMs: 0, isBackup: false, receivedAt: 5 }]
  ], 'the first elapsed stays')
  t.deepEqual(
    receive(state, { releases: [1, 7] }, 4000),
    [{ type: 'releases', releases: [1] }],
    'a release without a claim is ignored'
  )
  t.deepEqual(receive(state, { releases: [7] }, 4000), [])
  t.deepEqual(receive(state, { results: [result(2)] }, 4000), [{ type: 'results', results: [result(2)] }])
  t.equal(state.claims.size, 0)
  t.end()
})

test('a message is processed in the order task, results, releases, claims', t => {
  const state = matched()
  receive(state, { claims: [claim(1, 500), claim(2, 500)] })
  t.deepEqual(receive(state, { claims: [claim(1, 20)], releases: [1], results: [result(2)] }), [
    { type: 'results', results: [result(2)] },
    { type: 'releases', releases: [1] },
    { type: 'claims', claims: [claim(1, 20)] }
  ])
  t.equal(state.claims.get(1)?.firstElapsedMs, 20, 'a claim after a release is a first one')
  t.end()
})

test('claims lapse', t => {
  const state = matched()
  receive(state, { claims: [claim(1), claim(2)] }, 0)
  receive(state, { claims: [claim(2)] }, 1)
  t.deepEqual(state.expireClaims(CLAIM_LEASE_MS - 1), [])
  t.deepEqual(state.expireClaims(CLAIM_LEASE_MS), [{ type: 'releases', releases: [1] }])
  t.deepEqual(receive(state, { claims: [claim(2, 7)] }, CLAIM_LEASE_MS + 1), [
    { type: 'releases', releases: [2] },
    { type: 'claims', claims: [claim(2, 7)] }
  ], 'also when the renewal comes too late')
  t.equal(state.claims.get(2)?.firstElapsedMs, 7)
  t.end()
})

test('a peer cannot claim everything', t => {
  const state = matched()
  receive(state, { claims: upTo(MAX_CLAIMS + 10).map(index => claim(index)) }, 0)
  t.deepEqual([...state.claims.keys()], upTo(MAX_CLAIMS), 'the first 64 count')
  t.deepEqual(
    receive(state, { claims: [claim(0, 5), claim(100)] }, 1),
    [{ type: 'claims', claims: [claim(0, 5)] }],
    'renewals go on'
  )
  t.deepEqual(receive(state, { claims: [claim(100)] }, 1), [])
  t.deepEqual(types(receive(state, { releases: [0], claims: [claim(100)] }, 2)), ['releases', 'claims'], 'room again')
  t.equal(state.claims.size, MAX_CLAIMS)
  t.deepEqual(
    types(receive(state, { claims: [claim(0)] }, CLAIM_LEASE_MS + 1)),
    ['releases', 'claims'],
    'lapsed ones do not count'
  )
  t.end()
})

test('backups: of their own kind until they end', t => {
  const state = matched()
  t.deepEqual(receive(state, { backups: [claim(1, 10)] }), [{ type: 'backups', backups: [claim(1, 10)] }])
  t.deepEqual(receive(state, { claims: [claim(1, 20)] }), [], 'a claim does not change its kind')
  t.equal(state.claims.get(1)?.isBackup, true)
  t.deepEqual(receive(state, { releases: [1] }), [{ type: 'releases', releases: [1] }])
  t.deepEqual(types(receive(state, { claims: [claim(1, 20)] })), ['claims'])
  t.end()
})

test('neighbours come and go, within bounds', t => {
  const state = matched()
  const ids = Array.from({ length: MAX_NEIGHBOURS + 1 }, (_, i) => i.toString(16).padStart(40, '0'))
  t.deepEqual(receive(state, { neighbours: [ids[0]!, ids[1]!] }), [
    { type: 'neighbours', joined: [ids[0], ids[1]], parted: [] }
  ])
  t.deepEqual(
    receive(state, { neighbours: [ids[1]!], parted: [ids[0]!, ids[2]!] }),
    [{ type: 'neighbours', joined: [], parted: [ids[0]] }],
    'what is known, or was never there, is no news'
  )
  receive(state, { neighbours: ids })
  t.equal(state.neighbours.size, MAX_NEIGHBOURS)
  t.end()
})

test('relayed claims: new, renewed, withdrawn, ended by a result, lapsed', t => {
  const state = matched()
  const [one, two] = [relay(1, 'aa', 10), relay(1, 'bb', 0)]
  t.deepEqual(receive(state, { relays: [one, two] }, 0), [{ type: 'relays', relays: [one, two] }])
  receive(state, { relays: [{ ...one, elapsedMs: 99, firstElapsedMs: 99 }] }, 5)
  t.deepEqual(state.relays.of(1).map(({ firstElapsedMs }) => firstElapsedMs), [10, 0], 'the first elapsed stays')
  t.deepEqual(receive(state, { relays: [{ ...one, isBackup: true }] }, 5), [], 'and so does the kind')
  t.deepEqual(receive(state, { withdrawals: [{ index: 1, peerId: two.peerId }, { index: 2, peerId: two.peerId }] }, 6),
    [{ type: 'withdrawals', withdrawals: [{ index: 1, peerId: two.peerId }] }])
  t.deepEqual(
    types(receive(state, { results: [result(1)] }, 6)),
    ['results', 'withdrawals'],
    'the piece can be had from this peer'
  )
  receive(state, { relays: [one, relay(2, 'aa')] }, 10)
  receive(state, { relays: [relay(2, 'aa')] }, 20)
  t.deepEqual(state.expireClaims(10 + CLAIM_LEASE_MS), [
    { type: 'withdrawals', withdrawals: [{ index: 1, peerId: one.peerId }] }
  ])
  t.deepEqual(state.expireClaims(19 + CLAIM_LEASE_MS), [])
  t.deepEqual(types(state.expireClaims(20 + CLAIM_LEASE_MS)), ['withdrawals'])
  t.end()
})

test('a peer cannot relay everything', t => {
  const state = matched()
  t.equal(
    relayed(receive(state, { relays: upTo(MAX_CLAIMS + 1).map(index => relay(index, 'aa')) })),
    MAX_CLAIMS,
    '64 of one claimant'
  )
  for (let id = 1; id < 40; id++) {
    receive(state, { relays: upTo(MAX_CLAIMS).map(index => relay(index, id.toString(16))) })
  }
  t.equal(upTo(MAX_CLAIMS).reduce((sum, index) => sum + state.relays.of(index).length, 0), MAX_RELAYS)
  t.deepEqual(types(receive(state, { relays: [relay(0, 'aa')] })), ['relays'], 'renewals go on')
  t.end()
})

function relayed ([event]: PeerEvent[]): number { return event?.type === 'relays' ? event.relays.length : 0 }

function relay (index: number, id: string, elapsedMs = 0): RelayRecord {
  return {
    index, elapsedMs, estimateMs: 5000, firstElapsedMs: elapsedMs, isBackup: false, peerId: id.padStart(40, '0')
  }
}

test('our claims that the peer knows', t => {
  const state = matched()
  const nothing = { releases: [], claims: [], backups: [] }
  t.deepEqual(state.prepareSend({ claims: [claim(1, 12.5), claim(2, 7)] }, 0), {
    ...nothing, claims: [claim(1, 12), claim(2, 7)]
  })
  state.prepareSend({ claims: [claim(1, 3000)] }, 10)
  t.deepEqual([...state.sentClaims], [
    [1, { firstElapsedMs: 12, isBackup: false, sentAt: 10 }],
    [2, { firstElapsedMs: 7, isBackup: false, sentAt: 0 }]
  ], 'the first elapsed, as the wire carries it')
  t.deepEqual(
    state.prepareSend({ releases: [2, 9] }, 20),
    { ...nothing, releases: [2] },
    'a claim it never heard of is not released'
  )
  const results = [result(1)]
  t.deepEqual(state.prepareSend({ results, releases: [1] }, 20), { ...nothing, results }, 'a result ends the claim')
  t.equal(state.sentClaims.size, 0)
  state.prepareSend({ claims: [claim(3, 1000)] }, 30)
  state.prepareSend({ releases: [3], claims: [claim(3, 5)] }, 40)
  t.equal(state.sentClaims.get(3)?.firstElapsedMs, 5, 'released and claimed again')
  t.end()
})

test('our claim that lapsed is released before it is made again', t => {
  const state = matched()
  state.prepareSend({ claims: [claim(1, 100), claim(2, 100)] }, 0)
  const message = state.prepareSend({ claims: [claim(1, 90_100)] }, CLAIM_LEASE_MS)
  t.deepEqual(message, { releases: [1, 2], claims: [claim(1, 90_100)], backups: [] })
  t.deepEqual([...state.sentClaims.keys()], [1])
  t.equal(state.sentClaims.get(1)?.firstElapsedMs, 90_100)
  t.end()
})

test('claims that the peer would ignore are not sent', t => {
  const state = matched()
  const claims = upTo(MAX_CLAIMS + 1).map(index => claim(index))
  t.equal(state.prepareSend({ claims }, 0).claims?.length, MAX_CLAIMS)
  t.notOk(state.sentClaims.has(MAX_CLAIMS))
  t.deepEqual(
    state.prepareSend({ releases: [0], claims }, 1).claims?.map(({ index }) => index),
    upTo(MAX_CLAIMS),
    'at a renewal there may be room'
  )
  t.end()
})

test('property: two states agree on each other\'s first claims', t => {
  const seed = Math.trunc(Math.random() * 2 ** 31)
  const piece = fc.nat(70)
  const message: fc.Arbitrary<Message> = fc.record({
    results: fc.array(piece.map(result), { maxLength: 3 }),
    releases: fc.array(piece, { maxLength: 5 }),
    claims: fc.array(
      fc.tuple(piece, fc.nat(10_000)).map(([index, elapsedMs]) => claim(index, elapsedMs)), { maxLength: 40 }
    ),
    backups: fc.array(
      piece.map(index => claim(index)), { maxLength: 5 }
    )
  })
  const steps = fc.array(fc.tuple(message, fc.nat(CLAIM_LEASE_MS)), { maxLength: 30 })
  t.doesNotThrow(() => {
    fc.assert(fc.property(steps, sent => {
      const [sender, receiver] = [matched(), matched()]
      let now = 0
      return sent.every(([next, pauseMs]) => {
        now += pauseMs
        receive(receiver, sender.prepareSend(next, now), now)
        receiver.expireClaims(now)
        return sameFirsts(sender, receiver)
      })
    }), { seed, numRuns: 300 })
  }, `seed ${seed}`)
  t.end()
})

function sameFirsts (sender: PeerState, receiver: PeerState): boolean {
  return firsts(sender.sentClaims) === firsts(receiver.claims)
}

function firsts (claims: Map<number, { firstElapsedMs: number, isBackup: boolean }>): string {
  return [...claims]
    .map(([index, { firstElapsedMs, isBackup }]) => `${index}: ${firstElapsedMs} ${isBackup}`)
    .sort((a, b) => a.localeCompare(b))
    .join()
}

test('property: a state answers any bytes with events', t => {
  const seed = Math.trunc(Math.random() * 2 ** 31)
  t.doesNotThrow(() => {
    fc.assert(fc.property(fc.anything(), fc.uint8Array({ maxLength: 100 }), (handshake, bytes) => {
      for (const state of [new PeerState(), new PeerState({ localTask: TASK }), matched()]) {
        state.onHandshake(handshake)
        state.onHandshake({ bitworker: handshake })
        state.onHandshake({ bitworker: { v: 1, task: handshake } })
        state.onMessage(bytes, 0)
      }
    }), { seed, numRuns: 1_000 })
  }, `seed ${seed}`)
  t.end()
})

test('of the sealed torrents that a peer tells the first one counts', t => {
  const state = matched()
  t.deepEqual(receive(state, { sealed: ['ab'.repeat(20), 'cd'.repeat(20)] }), [{ type: 'sealed', infoHash: 'ab'.repeat(20) }])
  t.deepEqual(receive(state, { sealed: ['cd'.repeat(20)] }), [])
  t.equal(state.sealed, 'ab'.repeat(20))
  t.end()
})

test('a failure is told once, without control characters', t => {
  const state = matched()
  const failure = { index: 1, kind: 'exit', value: 3, line: 'no \u001b[31mred\u202e line\n' } as const
  const heard = { ...failure, line: 'no  [31mred  line ' }
  t.deepEqual(receive(state, { failures: [failure, failure] }), [{ type: 'failures', failures: [heard] }])
  t.deepEqual(receive(state, { failures: [failure] }), [], 'again')
  t.deepEqual([...state.failed], [1])
  const [long] = state.onMessage(encodeMessages({ failures: [{ ...failure, index: 2, line: 'ü'.repeat(300) }] })[0]!, 0)
  t.equal(long?.type === 'failures' && long.failures[0]?.line, 'ü'.repeat(61), 'cut between two characters')
  t.deepEqual(state.prepareSend({ failures: [failure, failure] }, 0).failures, [failure], 'nor sent twice')
  t.end()
})

test('a peer cannot give up pieces without end', t => {
  const pieceCount = 2 * MAX_FAILURES
  const state = new PeerState({ localTask: { ...TASK, pieceCount } })
  state.onHandshake({ bitworker: { v: 1, task: TASK.digest } })
  const failures = Array.from({ length: pieceCount }, (_, index) => ({ index, kind: 'exit', value: 1, line: '' }) as const)
  for (const bytes of encodeMessages({ failures })) state.onMessage(bytes, 0)
  t.equal(state.failed.size, MAX_FAILURES)
  t.equal(new PeerState().prepareSend({ failures }, 0).failures?.length, MAX_FAILURES)
  t.end()
})
