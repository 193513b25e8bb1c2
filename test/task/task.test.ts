import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import decodeMagnet from 'magnet-uri'
import test from 'tape'
import { encodeUnsorted, fixtures } from '../../fixtures/make.ts'
import { decodeDict, encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import {
  createTask, encodeTask, isTask, locate, magnetOf, parseTask, taskDigest, workItemEnv
} from '../../lib/task/task.ts'
import type { CreateTaskOptions, Task } from '../../lib/task/task.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

const hash = (algorithm: string, ...chunks: Array<Uint8Array | string>): string => {
  const h = createHash(algorithm)
  for (const chunk of chunks) h.update(chunk)
  return h.digest('hex')
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const read = (name: string): Buffer => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url))

test('createTask: a single file', t => {
  const task = createTask({ name: 'squares.txt', command: 'echo $((PIECE_IDX * PIECE_IDX))', parts: 3 })
  t.deepEqual(task.files, [
    { path: 'squares.txt', name: 'squares.txt', length: 3 * 2 ** 20, offset: 0, parts: 3, firstPiece: 0 }
  ])
  t.equal(task.pieceLength, 2 ** 20, 'a piece is at most 1 MiB, by default')
  t.equal(task.pieceCount, 3)
  t.equal(task.length, 3 * 2 ** 20)
  t.equal(task.command, 'echo $((PIECE_IDX * PIECE_IDX))')
  t.equal(task.legacy, false)
  t.deepEqual(task.announce, [])
  for (const key of [
    'completeCommand',
    'timeoutMs',
    'completeTimeoutMs',
    'memoryBytes',
    'scratchBytes',
    'comment',
    'createdBy',
    'created',
    'private'
  ])
    t.notOk(key in task, `no ${key}`)
  t.equal(Buffer.from(task.info).toString(), 'd9:bitworkerd7:command31:echo $((PIECE_IDX * PIECE_IDX))7:versioni1ee' +
    '6:lengthi3145728e4:name11:squares.txt12:piece lengthi1048576ee')
  t.equal(Buffer.from(encodeTask(task)).toString(), `d4:info${Buffer.from(task.info).toString()}e`)
  t.end()
})

const everything: CreateTaskOptions = {
  name: 'täbles',
  command: 'printf %s "$FILE"\n',
  files: [{ path: 'a/one.txt', parts: 3 }, { path: 'b.txt', parts: 1 }, { path: 'a/c/two.txt', parts: 2 }],
  pieceLength: 1000,
  completeCommand: 'sort $PART_LIST > "$FILE"',
  timeoutMs: 90_000,
  completeTimeoutMs: 600_000,
  memoryBytes: 4 * 2 ** 30,
  scratchBytes: 2 ** 20,
  announce: ['http://127.0.0.1:1/announce', 'udp://127.0.0.1:2', 'wss://127.0.0.1:3/', 'http://127.0.0.1:1/announce'],
  comment: 'smørrebrød',
  createdBy: 'a test',
  created: new Date('2026-05-06T07:08:09.876Z'),
  private: true
}

test('createTask: several files and every option', t => {
  const task = createTask(everything)
  t.deepEqual(task.files, [
    { path: 'täbles/a/one.txt', name: 'one.txt', length: 3000, offset: 0, parts: 3, firstPiece: 0 },
    { path: 'täbles/b.txt', name: 'b.txt', length: 1000, offset: 3000, parts: 1, firstPiece: 3 },
    { path: 'täbles/a/c/two.txt', name: 'two.txt', length: 2000, offset: 4000, parts: 2, firstPiece: 4 }
  ])
  t.equal(task.pieceCount, 6)
  t.equal(task.length, 6000)
  t.equal(task.completeCommand, everything.completeCommand)
  t.deepEqual(
    [task.timeoutMs, task.completeTimeoutMs, task.memoryBytes, task.scratchBytes], [90_000, 600_000, 2 ** 32, 2 ** 20]
  )
  t.deepEqual(task.announce, everything.announce?.slice(0, 3), 'without duplicates')
  t.equal(task.comment, everything.comment)
  t.equal(task.createdBy, everything.createdBy)
  t.equal(task.created?.toISOString(), '2026-05-06T07:08:09.000Z', 'whole seconds')
  t.equal(task.private, true)
  t.deepEqual(parseTask(encodeTask(task)), task, 'a round trip')
  t.equal(
    createTask({ ...everything, createdBy: 'others', announce: [] }).infoHash,
    task.infoHash,
    'remarks are outside of the info-hash'
  )
  t.notEqual(createTask({ ...everything, command: 'true' }).infoHash, task.infoHash, 'the command is inside')
  t.end()
})

const readVersion2 = (bitworker: Record<string, Encodable>): Task => parseTask(encode({
  info: { bitworker: { command: 'true', version: 2, ...bitworker }, length: 8, name: 'x', 'piece length': 4 }
}))

test('a comment travels with the info dictionary', t => {
  const opts = { name: 'x', command: 'true', parts: 1 }
  const task = createTask({ ...opts, comment: 'who helps gets a cake' })
  t.equal(task.comment, 'who helps gets a cake')
  t.equal(parseTask(encode({ info: decodeDict(task.info).dict })).comment, task.comment, 'with a link alone')
  t.notEqual(task.infoHash, createTask(opts).infoHash, 'the info-hash covers it')
  t.equal(task.unsupported, undefined)
  t.ok(Buffer.from(task.info).includes('7:versioni1e'), 'who does not know it computes all the same')
  t.equal(Buffer.from(encodeTask(task)).toString().split('who helps').length, 2, 'written once')
  t.equal(createTask({ ...opts, comment: '' }).infoHash, createTask(opts).infoHash, 'none is none')
  const info = decodeDict(task.info).dict
  t.equal(parseTask(encode({ comment: 'another', info })).comment, task.comment, 'it comes before the one beside it')
  const beside = parseTask(encode({ comment: 'old', info: decodeDict(createTask(opts).info).dict }))
  t.equal(beside.comment, 'old', 'a file of before')
  t.deepEqual([beside.infoHash, parseTask(encodeTask(beside))], [createTask(opts).infoHash, beside], 'stays as it is')
  const bad = new Map<string, Encodable>([...info, ['comment', Uint8Array.of(0xff)]])
  t.notOk('comment' in parseTask(encode({ info: bad })), 'one that is no text is none')
  t.end()
})

test('which machine runs the complete command', t => {
  const opts = { name: 'x', command: 'true', completeCommand: 'cat $PART_LIST > "$FILE"', parts: 1 }
  const task = createTask({ ...opts, completeBy: 'author' })
  t.equal(task.completeBy, 'author')
  t.deepEqual(parseTask(encodeTask(task)), task, 'a round trip')
  t.equal(createTask({ ...opts, completeBy: 'all' }).infoHash, createTask(opts).infoHash, 'all is the default')
  for (const [wrong, says] of [
    [{ completeBy: 'me' }, /completeBy must be 'author' or 'all'/],
    [{ completeBy: 'author', completeCommand: '' }, /completeBy needs a completeCommand/]
  ] as const) t.throws(() => createTask({ ...opts, ...wrong } as CreateTaskOptions), says)
  const complete = { 'complete command': 'true' }
  t.equal(readVersion2({ ...complete, 'complete by': 'all' }).completeBy, undefined)
  t.deepEqual(readVersion2({ ...complete, 'complete by': 'author', version: 1 }).unsupported, ['the key "complete by"'])
  for (const wrong of [{ 'complete by': 'author' }, { ...complete, 'complete by': 'x' }, { ...complete, 'complete by': 1 }]) {
    t.throws(() => readVersion2(wrong), /complete by (?:is neither|has no complete command)/)
  }
  t.end()
})

test('empty means none', t => {
  const task = createTask({
    name: 'x', command: 'true', parts: 1, completeCommand: '', announce: [], files: undefined
  } as unknown as CreateTaskOptions)
  t.notOk('completeCommand' in task)
  t.notOk(Buffer.from(task.info).includes('complete command'))
  t.end()
})

test('info-hash and digest are made over the bytes as received', t => {
  // Keys nobody knows, and an order of root keys nobody would write again.
  const info = {
    bitworker: { command: 'true', version: 1, zzz: 'later' },
    length: 7,
    name: 'x',
    'piece length': 7,
    source: 's'
  }
  const task = parseTask(Buffer.from(encode({ info, announce: 'udp://127.0.0.1:1', zzz: 1 })))
  t.deepEqual(task.info, encode(info))
  t.equal(task.infoHash, hash('sha1', encode(info)))
  t.equal(hex(task.digest), hash('sha256', 'BitWorker/task/1\0', encode(info)))
  const again = encodeTask(task)
  t.deepEqual(decodeDict(again).span('info'), task.info, 'and are written verbatim')
  t.deepEqual(
    parseTask(Buffer.concat([Buffer.from('d4:info'), task.info, Buffer.from('e')])),
    { ...task, announce: [] },
    'what a peer sends is enough'
  )
  t.end()
})

test('a task keeps no hold of the bytes it was read from', t => {
  const file = read('squares.bitworker')
  const task = parseTask(file)
  const info = hex(task.info)
  file.fill(0)
  t.equal(hex(task.info), info)
  t.end()
})

test('a length need not be a multiple of the piece length', t => {
  const info = {
    bitworker: { command: 'true', version: 1 },
    files: [{ length: 11, path: ['a'] }, { length: 10, path: ['b'] }, { length: 1, path: ['c'] }],
    name: 'x',
    'piece length': 10
  }
  const task = parseTask(encode({ info }))
  t.deepEqual(
    task.files.map(f => [f.parts, f.firstPiece, f.offset, f.length]),
    [
      [2, 0, 0, 20], [1, 2, 20, 10], [1, 3, 30, 10]
    ]
  )
  t.equal(task.pieceCount, 4)
  t.equal(task.length, 40)
  t.end()
})

test('the largest of everything', t => {
  const task = createTask({
    name: 'x', command: 'x'.repeat(65_536), parts: 2 ** 20, pieceLength: 2 ** 30, timeoutMs: 31_536_000_000
  })
  t.equal(task.length, 2 ** 50)
  t.equal(task.timeoutMs, 31_536_000_000)
  const files = Array.from({ length: 10_000 }, (_, i) => ({ path: `${i}/${'n'.repeat(200)}`, parts: 1 }))
  t.equal(createTask({ name: 'x', command: 'true', files }).files.length, 10_000)
  t.end()
})

test('trackers: flattened, without duplicates, only what we can ask; the rest is dropped', t => {
  const info = decodeDict(read('squares.bitworker')).dict.get('info')!
  const announceOf = (root: Record<string, Encodable>): string[] => parseTask(encode({ info, ...root })).announce
  const ok = 'http://127.0.0.1:1/a'
  const list = [[ok, 'https://127.0.0.1/b'], ['udp://127.0.0.1:2', ok], ['ws://127.0.0.1', 'wss://127.0.0.1']]
  t.deepEqual(
    announceOf({ 'announce-list': list, announce: 'udp://127.0.0.1:9' }),
    [...new Set(list.flat())],
    'BEP 12: the list replaces announce'
  )
  const junk = [
    '',
    'x',
    'file:///etc/passwd',
    'javascript:1',
    'http://',
    'http://127.0.0.1/a b',
    'http://127.0.0.1/\n',
    `${ok}${'x'.repeat(2048)}`
  ]
  t.deepEqual(announceOf({ 'announce-list': [junk, [Uint8Array.of(0xff), 1, [ok]], ok, 7] }), [ok])
  t.deepEqual(announceOf({ 'announce-list': [], announce: ok }), [ok])
  t.deepEqual(announceOf({ 'announce-list': [junk], announce: ok }), [ok])
  t.deepEqual(announceOf({ 'announce-list': 5, announce: 5 }), [])
  const many = Array.from({ length: 1000 }, (_, i) => `udp://127.0.0.1:${i + 1}`)
  t.deepEqual(announceOf({ 'announce-list': [many] }), many.slice(0, 128), 'not thousands of hosts')
  t.end()
})

test('remarks of a wrong type are dropped', t => {
  const info = decodeDict(read('squares.bitworker')).dict.get('info')!
  const bad = { comment: 1, 'created by': Uint8Array.of(0xff), 'creation date': 'now' }
  for (const remarks of [bad, { 'creation date': -1, comment: 'x'.repeat(16_385) }, { 'creation date': 9e12 }]) {
    const task = parseTask(encode({ info, ...remarks }))
    for (const key of ['comment', 'createdBy', 'created']) t.notOk(key in task, key)
  }
  t.end()
})

test('the fixtures are what fixtures/make.ts writes', t => {
  for (const [name, bytes] of Object.entries(fixtures)) t.equal(hex(read(name)), hex(bytes), name)
  t.end()
})

test('legacy: converted into a task of today', t => {
  for (const name of ['legacy-squares.rbw', 'legacy-films.worker']) {
    const bytes = read(name)
    const old = parseTask(bytes, { legacySwarm: true })
    const task = parseTask(bytes)
    const { infoHash, info, digest, legacy, convertedFrom, ...rest } = task
    const { infoHash: oldHash, info: _, digest: __, legacy: ___, ...oldRest } = old
    t.deepEqual([convertedFrom, legacy], [oldHash, false], name)
    t.notEqual(infoHash, oldHash, 'a swarm of its own')
    t.deepEqual(rest, oldRest, 'the same in everything else')
    t.equal(hex(digest), hash('sha256', 'BitWorker/task/1\0', info))
    t.deepEqual({ ...parseTask(encodeTask(task)), convertedFrom }, task, 'written as what it is now')
    t.equal(parseTask(encodeTask(old)).infoHash, infoHash, 'whoever converts it gets the same')
    t.equal(hash('sha1', info), infoHash)
    t.deepEqual(
      parseTask(Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])).command,
      task.command,
      'the command comes with the metadata'
    )
  }
  const info = { length: 8, name: 'x', 'piece length': 8 }
  const [a, b] = ['a', 'b'].map(command => parseTask(encodeUnsorted([['info', info], ['command', command]])).infoHash)
  t.notEqual(a, b, 'the info-hash covers the command')
  t.equal(
    parseTask(
      encodeUnsorted([
        ['signatures', 1], ['info', info], ['command', 'a']
      ])
    ).infoHash,
    a,
    'nothing signs such files'
  )
  t.end()
})

test('legacy: one file', t => {
  const bytes = read('legacy-squares.rbw')
  const task = parseTask(bytes, { legacySwarm: true })
  t.ok(isTask(bytes))
  t.equal(task.legacy, true)
  t.equal(task.command, 'echo $((PIECE_IDX * PIECE_IDX))')
  t.notOk('completeCommand' in task)
  t.equal(task.pieceCount, 16)
  t.deepEqual(task.announce, ['http://127.0.0.1:9/announce'])
  const info = bytes.subarray(bytes.indexOf('d6:length'), bytes.indexOf('7:command'))
  t.equal(task.infoHash, hash('sha1', info))
  t.equal(
    hex(task.digest), hash('sha256', 'BitWorker/legacy/1\0', 'd7:command31:echo $((PIECE_IDX * PIECE_IDX))e', info)
  )
  t.end()
})

test('legacy: several files, a complete command', t => {
  const bytes = read('legacy-films.worker')
  const task = parseTask(bytes, { legacySwarm: true })
  t.deepEqual(
    task.files.map(f => [f.path, f.parts, f.firstPiece]),
    [
      ['films/low/film.txt', 2, 0], ['films/high/film.txt', 3, 2], ['films/readme.txt', 1, 5]
    ]
  )
  t.equal(task.completeCommand, 'cat $PART_LIST > "$FILE"')
  t.deepEqual(task.announce, ['http://127.0.0.1:9/announce', 'udp://127.0.0.1:9'])
  t.equal(task.created?.getTime(), 1_400_000_000_000)
  t.equal(task.createdBy, 'BitWorker prototype')
  const commands = encode({ command: task.command, 'complete command': task.completeCommand })
  t.equal(hex(task.digest), hash('sha256', 'BitWorker/legacy/1\0', commands, task.info))
  t.deepEqual(
    parseTask(encodeTask(task), { legacySwarm: true }), task, 'written as a legacy file again, its keys sorted'
  )
  t.ok(isTask(encodeTask(task)))
  t.end()
})

test('legacy: the info-hash does not cover the command; the digest does', t => {
  const info = { length: 8, name: 'x', 'piece length': 8 }
  const digests = [
    encodeUnsorted([['info', info], ['command', 'a']]),
    encodeUnsorted([['info', info], ['command', 'b']]),
    encodeUnsorted([['info', info], ['command', 'a'], ['complete command', 'b']])
  ].map(bytes => hex(parseTask(bytes, { legacySwarm: true }).digest))
  t.equal(new Set(digests).size, 3)
  const emptyComplete = parseTask(
    encodeUnsorted([
      ['complete command', ''], ['info', info], ['command', 'a']
    ]),
    { legacySwarm: true }
  )
  t.equal(hex(emptyComplete.digest), digests[0], 'an empty complete command is none')
  t.notEqual(hex(taskDigest(emptyComplete.info)), digests[0], 'the two kinds of digest cannot meet')
  t.end()
})

test('a top-level command beside a new-style info is not run', t => {
  const task = createTask({ name: 'x', command: 'echo good', parts: 1 })
  const parsed = parseTask(encode({ command: 'echo bad', info: decodeDict(task.info).dict }))
  t.equal(parsed.command, 'echo good')
  t.equal(parsed.legacy, false)
  t.end()
})

const layout = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 })
const taskOf = (parts: number[]): Task =>
  createTask({ name: 'x', command: 'true', pieceLength: 3, files: parts.map((n, i) => ({ path: `${i}`, parts: n })) })

test('property: every piece is in exactly one place', t => {
  fc.assert(fc.property(layout, parts => {
    const task = taskOf(parts)
    const expected = parts.flatMap((n, file) => Array.from({ length: n }, (_, part) => ({ file, part })))
    const pieces = Array.from({ length: task.pieceCount }, (_, piece) => piece)
    return JSON.stringify(pieces.map(piece => locate(task, piece))) === JSON.stringify(expected)
  }), { seed, numRuns: 300 })
  t.pass('300 layouts')
  t.end()
})

test('there are no pieces beyond the ends', t => {
  const task = taskOf([2, 1])
  for (const piece of [-1, 3, 0.5, NaN, 2 ** 32]) {
    t.throws(() => locate(task, piece), { code: 'BW_ERR_TASK_PIECE', blame: 'usage' }, `piece ${piece}`)
  }
  t.end()
})

test('the environment of a work item', t => {
  t.deepEqual(workItemEnv(createTask(everything), 4), {
    PIECE_IDX: '4',
    FILE_IDX: '2',
    PART_IDX: '0',
    PIECE_COUNT: '6',
    PART_COUNT: '2',
    FILE: 'täbles/a/c/two.txt',
    PIECE_LENGTH: '1000',
    TASK_NAME: 'täbles'
  })
  t.end()
})

test('magnet links', t => {
  const task = createTask({ ...everything, name: 'a & b=c %41.txt' })
  const peers = ['127.0.0.1:6881', '[::1]:6882', 'peer.example:1']
  const link = magnetOf(task, { peers })
  const parsed = decodeMagnet(link)
  t.match(link, /^magnet:\?xt=urn:btih:[0-9a-f]{40}&dn=a%20%26%20b%3Dc%20%2541\.txt&tr=http%3A%2F%2F/)
  t.equal(parsed.infoHash, task.infoHash)
  t.equal(parsed.name, task.name)
  t.deepEqual(parsed.announce, task.announce)
  t.deepEqual(parsed.peerAddresses, peers, 'as WebTorrent takes them: it does not decode x.pe')
  for (const peer of ['', 'x', 'x:0', 'x:65536', 'x:1&tr=y', ':1', '::1:1', 'x:1 ']) {
    t.throws(
      () => magnetOf(task, { peers: [peer] }),
      { code: 'BW_ERR_TASK_OPTIONS', blame: 'usage' },
      `peer ${JSON.stringify(peer)}`
    )
  }
  const legacy = parseTask(read('legacy-squares.rbw'), { legacySwarm: true })
  t.equal(
    magnetOf(legacy), `magnet:?xt=urn:btih:${legacy.infoHash}&dn=squares.txt&tr=http%3A%2F%2F127.0.0.1%3A9%2Fannounce`
  )
  t.end()
})
