import test from 'tape'
import { MAX_ANSWER_BYTES, formatRequest, formatStatus, parseRequest, parseStatus } from '../../lib/control/protocol.ts'
import type { LiveStatus } from '../../lib/control/protocol.ts'

const STATUS: LiveStatus = {
  pid: 7,
  computing: 'paused',
  finishing: false,
  done: false,
  pieces: { pieces: 9, stored: 1, missing: 8, computed: 1, downloaded: 0, running: 2, claimed: 0, failed: 0 },
  slots: 2,
  peers: 1,
  downloadSpeed: 0,
  uploadSpeed: 1.5,
  timeLeftMs: null,
  paused: ['hours 22-7'],
  waiting: [],
  state: 'paused: hours 22-7',
  remark: null
}

test('requests', t => {
  for (const request of ['status', 'pause', 'resume', 'finish'] as const) {
    t.equal(parseRequest(formatRequest(request).trim()), request)
  }
  for (const wrong of [
    '', 'status', '"status"', '[]', 'null', '{}', '{"do":"stop"}', '{"do":["status"]}', '{"do":"status","more":1}',
    '{"__proto__":"status"}', '{"do":"constructor"}', '{"do":null}'
  ]) t.equal(parseRequest(wrong), null, wrong)
  t.end()
})

test('a status', t => {
  t.deepEqual(parseStatus(formatStatus(STATUS)), STATUS)
  t.deepEqual(parseStatus(JSON.stringify({ status: { ...STATUS, later: true } })), STATUS, 'a later version may add')
  t.end()
})

test('whatever else a socket answers is no status', t => {
  const wrong: unknown[] = [null, [], {}, { error: 'no' }, { status: null }, { status: [] }]
  const values: unknown[] = [undefined, null, 'x', -1, true, ['x'], {}, [1], 'x'.repeat(2_000), Array(99).fill('x')]
  for (const name of Object.keys(STATUS)) {
    for (const value of values) {
      const right = parseStatus(JSON.stringify({ status: { ...STATUS, [name]: value } }))
      // null, a text, true and lists are right for some members
      if (right !== null) t.deepEqual(right, { ...STATUS, [name]: value }, `${name}: ${JSON.stringify(value)} is passed on as it is`)
    }
    wrong.push({ status: { ...STATUS, [name]: undefined } }, { status: { ...STATUS, [name]: { x: 1 } } })
  }
  for (const name of Object.keys(STATUS.pieces)) {
    for (const value of [undefined, null, '1', -1, {}]) {
      wrong.push({ status: { ...STATUS, pieces: { ...STATUS.pieces, [name]: value } } })
    }
  }
  for (const value of wrong) t.equal(parseStatus(JSON.stringify(value)), null, JSON.stringify(value).slice(0, 60))
  t.equal(parseStatus('{"status":'), null)
  t.end()
})

test('a status is bounded, whatever texts it has', t => {
  const long = '\u0000'.repeat(10_000)
  const many = Array<string>(1_000).fill(long)
  const line = formatStatus({ ...STATUS, paused: many, waiting: many, state: long, remark: long })
  t.ok(line.length < MAX_ANSWER_BYTES, `${line.length} bytes`)
  t.equal(parseStatus(line)?.waiting.length, 16)
  t.end()
})
