// Which cause is named, of those that hold up a task or a piece: situations that are made up.
import test from 'tape'
import { causeOf, explain } from '../../lib/explain/explain.ts'
import type { ExplainCode } from '../../lib/explain/explain.ts'
import type { PeerState, PieceState, Situation } from '../../lib/explain/situation.ts'

const PEERS: PeerState = { connected: 1, port: 6881, incoming: 0, sources: [], failed: [] }
const ALONE: PeerState = { ...PEERS, connected: 0 }
const NOW: Situation = {
  isKnown: true,
  done: false,
  pieces: 10,
  missing: 4,
  running: 0,
  claimed: 0,
  expected: 0,
  givenUp: 0,
  waiting: 0,
  ready: 4,
  unwanted: 0,
  slots: 2,
  computing: 'on',
  held: [],
  isFinishing: false,
  asks: false,
  obstacle: null,
  hopeless: null,
  isStuck: false,
  fileFailure: null,
  checks: null,
  memoryAsked: 0,
  memoryLimit: 2 ** 31,
  inputs: [],
  failure: null,
  peers: PEERS,
  piece: null
}
const PIECE: PieceState = {
  index: 3,
  isStored: false,
  isWanted: true,
  runningMs: null,
  claims: [],
  holders: 0,
  isExpected: false,
  isWaiting: false,
  trouble: 'none',
  failure: null,
  elsewhere: []
}
const EXIT = { code: 'BW_ERR_COMMAND_EXIT', message: 'The command exited with code 7' }
const DHT = { kind: 'dht', state: 'asked', peers: 0, nodes: 0 } as const

const TASKS: Array<[what: string, now: Partial<Situation>, code: ExplainCode, says: RegExp]> = [
  ['done', { done: true, missing: 0 }, 'done', /all 10 pieces are here/],
  ['no metadata, no peers', { isKnown: false, peers: { ...ALONE, sources: [DHT] } }, 'no-peers', /metadata.*DHT knows no other node/],
  ['no metadata, a silent peer', { isKnown: false }, 'no-metadata', /1 peer is connected, and none has sent it/],
  ['nothing asks for peers', { computing: 'off', peers: ALONE }, 'no-peers', /nobody is asked for peers.*Name one/],
  ['the tracker fails', {
    computing: 'off',
    peers: { ...ALONE, sources: [{ kind: 'tracker', name: 'http://t/', state: 'failed', peers: 0, message: 'connect ECONNREFUSED' }] }
  }, 'no-peers', /the tracker http:\/\/t\/ failed \(connect ECONNREFUSED\)/],
  ['wrong port', {
    computing: 'off',
    peers: { ...ALONE, failed: [{ address: '10.0.0.1:1', source: 'named', reason: 'refuses the connection, so nobody listens on that port' }] }
  }, 'unreachable', /10\.0\.0\.1:1 \(from you or the link\) refuses the connection/],
  ['sandbox missing', { computing: 'off', obstacle: { code: 'BW_ERR_NO_SANDBOX', message: 'No sandbox works here.' } }, 'no-sandbox', /No sandbox/],
  ['tool missing', { computing: 'off', obstacle: { code: 'BW_ERR_NEEDS', message: 'ffmpeg is missing.' } }, 'needs', /ffmpeg is missing/],
  ['GPU', { computing: 'off', obstacle: { code: 'BW_ERR_NEEDS', message: 'The task needs a GPU.' } }, 'gpu', /needs a GPU/],
  ['signature needed', { computing: 'off', asks: true }, 'consent', /no key that you trust has signed it/],
  ['denied', { computing: 'off', obstacle: { code: 'BW_ERR_DENIED', message: 'Its key is denied' } }, 'denied', /Its key is denied\.$/],
  ['paused', { computing: 'paused', held: [{ code: 'paused', reason: 'on request' }] }, 'paused', /is resumed/],
  ['hours', { computing: 'paused', held: [{ code: 'hours', reason: 'hours 22-7' }] }, 'hours', /\(hours 22-7\)/],
  ['battery', { computing: 'paused', held: [{ code: 'battery', reason: 'on battery' }] }, 'battery', /plugged in/],
  ['load', { computing: 'paused', held: [{ code: 'load', reason: 'load 3 or more' }] }, 'load', /busy \(load 3 or more/],
  ['memfree', { computing: 'paused', held: [{ code: 'memfree', reason: 'less than 2 GiB of memory available' }] }, 'memfree', /less than 2 GiB/],
  ['paused although others compute', { computing: 'paused', claimed: 2 }, 'paused', /Other peers compute 2 pieces meanwhile/],
  ['input not there', {
    waiting: 4, ready: 0, inputs: [{ name: 'in.bin', state: 'fetching', have: 0, length: 1024, forMs: 61_000 }]
  }, 'input', /input "in\.bin": 0 B of 1 KiB are here, and nothing of it has arrived for 1 min 1 s/],
  ['input refused', {
    waiting: 4, ready: 0, inputs: [{ name: 'a', state: 'refused', have: 0, length: 9, message: 'It is larger than --max-input.' }]
  }, 'input-refused', /larger than/],
  ['all claimed', { ready: 0, claimed: 4 }, 'claimed', /Other peers compute all that can be computed now \(4 pieces\)/],
  ['all expected', { ready: 0, expected: 4 }, 'downloading', /4 missing pieces are expected/],
  ['given up here', { ready: 0, givenUp: 4, isStuck: true, failure: EXIT }, 'given-up', /4 pieces are not tried again.*exited with code 7\. Mend/],
  ['memory asked for too large', {
    ready: 0, givenUp: 4, isStuck: true, memoryAsked: 2 ** 40, failure: { code: 'BW_ERR_COMMAND_MEMORY', message: 'The command used too much memory.' }
  }, 'memory', /asks for 1 TiB.*at most 2 GiB here.*Allow more/],
  ['disk full', { computing: 'off', obstacle: { code: 'BW_ERR_DISK_FULL', message: 'The disk is full.' } }, 'disk-full', /disk is full/],
  ['disk full for an input', {
    waiting: 4, ready: 0, inputs: [{ name: 'a', state: 'fetching', have: 0, length: 9, message: 'It needs 9 B, and 2 B of space is free.' }]
  }, 'disk-full', /space is free/],
  ['hopeless', { hopeless: { code: 'BW_ERR_HOPELESS', message: 'The first pieces all failed.' } }, 'hopeless', /first pieces/],
  ['finishing', { isFinishing: true, running: 2 }, 'finishing', /then the client stops/],
  ['running', { running: 2, claimed: 1 }, 'running', /2 pieces are being computed here in 2 slots, and other peers compute 1/],
  ['a file fails', { missing: 0, fileFailure: EXIT }, 'complete-failed', /exited with code 7/],
  ['files are made', { missing: 0 }, 'completing', /are being made/],
  ['checks', { missing: 0, checks: 'Two results are still to be checked.' }, 'checks', /still to be checked/],
  ['settling', { computing: 'settling' }, 'settling', /in a moment/],
  ['deselected', { ready: 0, unwanted: 4 }, 'unwanted', /deselected/],
  ['only to be started', {}, 'ready', /starts in a moment/]
]

test('a task', t => {
  for (const [what, now, code, says] of TASKS) {
    const found = explain({ ...NOW, ...now })
    t.equal(found.code, code, what)
    t.match(found.sentence, says)
    t.match(found.sentence, /[.!?…]$/)
    t.equal(found.piece, null)
  }
  t.end()
})

const PIECES: Array<[
  what: string, piece: Partial<PieceState>, now: Partial<Situation>, code: ExplainCode, says: RegExp
]> = [
  ['stored', { isStored: true }, { computing: 'off' }, 'stored', /Piece 3 is stored/],
  ['running', { runningMs: 5_000 }, { running: 1 }, 'running', /for 5 s/],
  ['claimed', { claims: [{ peer: '10.0.0.1:5', forMs: 90_000, estimateMs: 120_000 }] }, { claimed: 1 }, 'claimed',
    /10\.0\.0\.1:5 has claimed it for 1 min 30 s, of about 2 min/],
  ['claimed, and paused here', { claims: [{ peer: 'x', forMs: 9_000, estimateMs: 0 }] }, { computing: 'paused' }, 'claimed', /x has claimed it for 9 s\. /],
  ['expected', { isExpected: true, holders: 2 }, {}, 'downloading', /2 connected peers have it/],
  ['paused', {}, { computing: 'paused' }, 'paused', /is resumed/],
  ['given up', { trouble: 'given-up', failure: EXIT, elsewhere: [{ ...EXIT, peer: '10.0.0.1:5' }] }, { givenUp: 1 }, 'given-up',
    /^Piece 3: .*so it is not tried again.*exited with code 7\..*1 peer has given it up as well\.$/],
  ['left out', { trouble: 'left' }, {}, 'left-out', /only some pieces/],
  ['retried', { trouble: 'retry', failure: EXIT }, {}, 'retry', /in a moment: The command exited with code 7\./],
  ['its input', { isWaiting: true }, { inputs: [{ name: 'in', state: 'fetching', have: 1, length: 2 }] }, 'input', /^Piece 3: It waits for the input "in"/],
  ['in the queue', {}, { running: 2 }, 'ready', /next in line.*2 of 2 slots are busy/],
  ['deselected', { isWanted: false }, {}, 'unwanted', /deselected/]
]

test('a piece', t => {
  for (const [what, piece, now, code, says] of PIECES) {
    const found = explain({ ...NOW, ...now, piece: { ...PIECE, ...piece } })
    t.equal(found.code, code, what)
    t.match(found.sentence, says)
    t.equal(found.piece, 3)
  }
  t.end()
})

test('without peers, each source says what it answered, and whether the port is open', t => {
  const { details } = explain({
    ...NOW,
    computing: 'off',
    peers: {
      ...ALONE,
      sources: [
        { kind: 'tracker', name: 'http://t/', state: 'answered', peers: 0 },
        { kind: 'dht', state: 'answered', peers: 2, nodes: 40 },
        { kind: 'lsd', state: 'off', peers: 0 }
      ],
      failed: [{ address: '10.0.0.1:1', source: 'dht', reason: 'does not answer' }]
    }
  })
  t.deepEqual(details, [
    'The tracker http://t/ named nobody', 'The DHT named 2 peers (40 nodes known)', 'The local network (LSD): not asked',
    '10.0.0.1:1 does not answer',
    'Nobody has called port 6881 of this client yet: if it stays so, open the port in the router and the firewall (TCP and UDP)'
  ])
  t.end()
})

test('what has no code of its own is an obstacle', t => {
  t.deepEqual(causeOf({ code: 'BW_ERR_NEW', message: 'Something' }), { code: 'obstacle', isStuck: true, sentence: 'Something.' })
  t.end()
})
