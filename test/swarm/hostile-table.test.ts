// What a peer can send, row by row: afterwards the client is alive, and gets the right output from an honest neighbour.
import { randomBytes } from 'node:crypto'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import { createTask } from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'
import { HostilePeer, frame, latin1, resultRecord, u32 } from '../helpers/hostile-peer.ts'
import { allDone, connect, createPeer, digestOf, noteEnd, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const task = createTask({
  name: 'out.bin', command: 'head -c 20000 /dev/zero | tr "\\0" "$PIECE_IDX"', parts: 6, pieceLength: 32_768
})
const PIECES = 6
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

interface Row {
  name: string
  /** what the peer does; the connection is introduced already unless `raw` */
  play: (hostile: HostilePeer, victim: Peer, t: Test) => void | Promise<void>
  raw?: true
  /** it leaves requests unanswered: the victim is to wait for less than the usual 30 s */
  stalls?: true
  /** whether the victim closes the connection; default: it may or may not */
  closes?: boolean
  /** what is reported of it */
  strike?: RegExp
}

/** Malformed values, wherever a dictionary may come. */
const MALFORMED: Array<[string, Buffer]> = [
  ['a negative string length', latin1('d1:md12:ut_bitworker-3:')],
  ['a signed string length', latin1('d1:md+2:abi1eee')],
  ['no string length', latin1('d1:m:e')],
  ['odd integers', latin1('d1:mdei-0e1:pi007e4:reqqie1:vi1.9ee')],
  ['an integer of 400 digits', latin1(`d1:mde13:metadata_sizei${'9'.repeat(400)}e4:reqqi${'9'.repeat(400)}ee`)],
  ['keys that are prototypes', latin1('d9:__proto__d1:xi1ee1:mde11:constructori1ee')],
  ['duplicate and unsorted keys', latin1('d1:zi1e1:mde1:mde1:ai1ee')],
  ['a prototype in m', latin1('d1:md1:ad9:__proto__d8:toString1:xeeee')],
  ['what is no number in m', latin1('d1:md1:ad8:toString1:xeee')],
  ['m that is a list', latin1('d1:ml1:aee')],
  ['trailing bytes', latin1('d1:mdeejunk')],
  ['a string beyond the end', latin1('d1:m999999:abc')],
  ['deep nesting', latin1('l'.repeat(60_000))],
  ['very many values', latin1(`l${'le'.repeat(30_000)}e`)],
  ['nothing', Buffer.alloc(0)],
  ['bytes at random', randomBytes(1000)]
]

const ROWS: Row[] = [
  ...MALFORMED.map(([name, bytes]): Row => ({
    name: `${name}: handshake, messages of every extension`,
    play: async hostile => {
      for (const extension of ['ut_bitworker', 'ut_metadata', 'ut_pex', 'lt_donthave', 50]) {
        hostile.extended(extension, bytes)
      }
      await hostile.heard()
      hostile.extended(0, bytes)
      await hostile.heard()
    }
  })),
  { name: 'no BitTorrent at all', raw: true, closes: true, play: hostile => { hostile.send(latin1('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(200)) } },
  { name: 'an info-hash that is not here', raw: true, closes: true, play: hostile => { hostile.sendHandshake('ab'.repeat(20)) } },
  { name: 'a public key of zeros', raw: true, closes: true, play: hostile => { hostile.send(Buffer.alloc(96)) } },
  { name: 'a public key of ones', raw: true, closes: true, play: hostile => { hostile.send(Buffer.alloc(96, 0xff)) } },
  { name: 'a key exchange that never ends', raw: true, play: hostile => { hostile.send(Buffer.alloc(96, 0x55), Buffer.alloc(10_000, 7)) } },
  { name: 'half a handshake', raw: true, play: hostile => { hostile.send(latin1('\x13BitTorrent pro')) } },
  ...[2 ** 20 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((length): Row => ({
    name: `a message of ${length} bytes`, closes: true, play: hostile => { hostile.send(u32(length), Buffer.alloc(5000)) }
  })),
  {
    name: 'a message of 1 MiB that nobody knows, in small parts',
    closes: false,
    play: async hostile => {
      hostile.send(u32(2 ** 20), Uint8Array.of(21))
      for (let sent = 1; sent < 2 ** 20; sent += 1000) hostile.send(Buffer.alloc(Math.min(1000, 2 ** 20 - sent)))
      await hostile.heard()
    }
  },
  { name: 'half a message, then the end', play: hostile => { hostile.send(u32(1000), Buffer.alloc(10)); hostile.socket.destroy() } },
  ...[0, 1, 2, 3, 4, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20].map((id): Row => ({
    name: `message ${id} of the wrong length`, closes: true, play: hostile => { hostile.send(frame(id, Buffer.alloc([7, 20].includes(id) ? 0 : 3))) }
  })),
  { name: 'messages that nobody knows', closes: false, play: async hostile => { for (const id of [10, 11, 12, 18, 19, 21, 255]) hostile.send(frame(id, randomBytes(50))); await hostile.heard() } },
  { name: 'keep-alives without end', closes: true, strike: /nothing but keep-alive/, play: hostile => { hostile.send(Buffer.alloc(400_000)) } },
  ...[6, 1000, 2 ** 31, 2 ** 32 - 1].map((index): Row => ({
    name: `have, donthave, suggest, allow and reject piece ${index}`,
    closes: true,
    strike: /which the task does not have/,
    play: hostile => {
      for (let i = 0; i < 3; i++) {
        hostile.send(frame(4, u32(index)), frame(13, u32(index)), frame(17, u32(index)), frame(16, u32(index, 0, 16)))
      }
      for (let i = 0; i < 3; i++) hostile.extended('lt_donthave', u32(index))
    }
  })),
  { name: 'a bitfield that is too long', closes: true, strike: /does not have 6 pieces/, play: hostile => { hostile.send(frame(5, Buffer.alloc(60_000, 0xff))) } },
  { name: 'an empty bitfield', closes: true, strike: /does not have 6 pieces/, play: hostile => { hostile.send(frame(5)) } },
  { name: 'a bitfield with spare bits', closes: true, strike: /does not have 6 pieces/, play: hostile => { hostile.send(frame(5, Uint8Array.of(0xff))) } },
  { name: 'bits that are said again', closes: false, play: async hostile => { hostile.send(frame(15), frame(5, Uint8Array.of(0x80)), frame(15), frame(5, Uint8Array.of(0x40)), frame(14), frame(5, Uint8Array.of(0))); await hostile.heard() } },
  { name: 'have-all without end', closes: true, strike: /sent more than 16 bitfields/, play: hostile => { hostile.send(...times(10_000, () => frame(14))) } },
  { name: 'all pieces, without results', play: async hostile => { hostile.send(frame(14), frame(1)); await hostile.heard() } },
  {
    name: 'requests of 4 GiB, of nothing, at the end of the world',
    play: async hostile => {
      hostile.send(frame(2))
      for (const index of [0, 5, 6, 2 ** 31, 2 ** 32 - 1]) {
        for (const [offset, length] of [
          [0, 2 ** 32 - 1], [2 ** 32 - 1, 16], [0, 0], [19_999, 2], [0, 131_073]
        ] as const) {
          hostile.send(frame(6, u32(index, offset, length)))
        }
      }
      await hostile.heard()
    }
  },
  { name: '50 000 requests', play: hostile => { hostile.send(frame(2), ...times(50_000, i => frame(6, u32(i % PIECES, 0, 16_384)))) } },
  { name: 'cancels of what was never asked', closes: false, play: async hostile => { hostile.send(...times(2000, i => frame(8, u32(i, 0, 16_384)))); await hostile.heard() } },
  { name: 'blocks that nobody asked for', closes: true, strike: /not requested/, play: hostile => { hostile.send(...times(20, i => frame(7, Buffer.concat([u32(i % PIECES, 0), Buffer.alloc(16_384)])))) } },
  { name: 'wrong data', closes: true, strike: /does not match the digest/, play: async hostile => { hostile.pretend(); await serve(hostile, (_index, _offset, length) => randomBytes(length)) } },
  { name: 'half of each block', closes: true, strike: /not requested/, play: async hostile => { hostile.pretend(); await serve(hostile, (_index, _offset, length) => randomBytes(length / 2)) } },
  { name: 'blocks at another offset', closes: true, play: async hostile => { hostile.pretend(32_768); await serve(hostile, (_index, _offset, length) => randomBytes(length), 1) } },
  { name: 'some of a piece, and then nothing', stalls: true, play: async hostile => { hostile.pretend(32_768); await hostile.until(() => hostile.received(6).length > 0); hostile.send(block(hostile.received(6)[0]!, randomBytes(16_384))) } },
  { name: 'all pieces, and then a choke', stalls: true, play: async hostile => { hostile.pretend(); await hostile.until(() => hostile.received(6).length > 0); hostile.send(frame(0)); await hostile.heard() } },
  { name: 'rejects of everything', stalls: true, play: async hostile => { hostile.pretend(); await hostile.until(() => hostile.received(6).length > 0); for (const request of hostile.received(6)) hostile.send(frame(16, request)); await hostile.heard() } },
  { name: 'pieces that are larger than they may be', closes: true, strike: /more than the piece length/, play: hostile => { for (let i = 0; i < 3; i++) hostile.bitworker({ results: resultRecord(0, 32_769) }) } },
  { name: 'results that change', closes: true, strike: /changed its result/, play: hostile => { for (let i = 0; i < 5; i++) hostile.bitworker({ results: resultRecord(0, 100 + i) }) } },
  { name: 'results of pieces that do not exist', closes: true, strike: /piece 6 of a task with 6 pieces/, play: hostile => { for (let i = 0; i < 3; i++) hostile.bitworker({ results: resultRecord(6) }) } },
  { name: 'too many records', closes: true, strike: /records, more than 1024/, play: hostile => { for (let i = 0; i < 3; i++) hostile.bitworker({ claims: Buffer.alloc(12 * 1025) }) } },
  { name: 'messages of over 64 KiB', closes: true, strike: /65536/, play: hostile => { for (let i = 0; i < 3; i++) hostile.bitworker({ zzz: Buffer.alloc(66_000) }) } },
  { name: 'unknown keys', closes: false, play: async hostile => { hostile.bitworker({ abc: 1, zzz: { a: [1, 2, 3] } }); await hostile.heard() } },
  { name: 'another task digest', closes: true, play: hostile => { hostile.bitworker({ task: randomBytes(32) }) } },
  { name: 'claims of everything, renewed for ever', play: async hostile => { for (let i = 0; i < 2000; i++) hostile.bitworker({ claims: Buffer.concat(times(PIECES, index => u32(index, 2 ** 32 - 1, 0))) }); await hostile.heard() } },
  { name: 'claims and releases without end', play: hostile => { for (let i = 0; i < 20_000; i++) hostile.bitworker(i % 2 === 0 ? { claims: u32(1, 1, 1) } : { releases: u32(1) }) } },
  { name: 'have and donthave without end', play: hostile => { for (let i = 0; i < 10_000; i++) { hostile.send(frame(4, u32(0))); hostile.extended('lt_donthave', u32(0)) } } },
  { name: 'interest without end', play: hostile => { hostile.send(...times(20_000, i => frame(2 + i % 2))) } },
  { name: 'chokes without end', stalls: true, play: hostile => { hostile.pretend(); hostile.send(...times(20_000, i => frame(i % 2))) } },
  { name: 'handshakes without end', closes: true, play: hostile => { for (let i = 0; i < 30; i++) hostile.extended(0, encode({ m: { [`x${i}`]: i + 1 } })) } },
  { name: 'metadata that is not there', play: async hostile => { for (const piece of [-1, 1, 2 ** 31]) hostile.extended('ut_metadata', latin1(`d8:msg_typei0e5:piecei${piece}ee`)); hostile.extended('ut_metadata', latin1('d8:msg_typei1e5:piecei5e10:total_sizei9eexx')); await hostile.heard() } },
  { name: 'metadata again and again', closes: true, play: hostile => { for (let i = 0; i < 100; i++) hostile.extended('ut_metadata', encode({ msg_type: 0, piece: 0 })) } },
  { name: 'peer exchange with very many addresses', closes: true, play: hostile => { hostile.extended('ut_pex', encode({ added: randomBytes(60_000) })) } },
  { name: 'peer exchange too often', closes: true, play: hostile => { for (let i = 0; i < 3; i++) hostile.extended('ut_pex', encode({ added: Buffer.alloc(0) })) } }
]

/** Answers each request with the bytes that `make` makes, until the connection is closed. */
async function serve (
  hostile: HostilePeer, make: (index: number, offset: number, length: number) => Buffer, shift = 0
): Promise<void> {
  while (!hostile.isClosed) {
    let requests: Buffer[] = []
    await hostile.until(() => (requests = hostile.takeRequests()).length > 0)
    for (const request of requests) {
      const [index, offset, length] = [0, 4, 8].map(at => request.readUInt32BE(at)) as [number, number, number]
      hostile.send(block(u32(index, offset + shift), make(index, offset, length)))
    }
  }
}

function block (request: Buffer, data: Buffer): Buffer {
  return frame(7, Buffer.concat([request.subarray(0, 8), data]))
}

test('the table of hostile inputs', async t => {
  noteEnd(t)
  const honest = await createPeer(t, task, { compute: true })
  await allDone([honest])
  const expected = await digestOf(honest, 'out.bin')
  for (const row of ROWS) {
    const victim = await createPeer(t, task)
    await ready(victim)
    const strikes: string[] = []
    for (const event of ['strike', 'ban'] as const) victim.torrent.on(event, ({ reason }) => { strikes.push(reason) })
    const hostile = await HostilePeer.connect(t, victim, task)
    if (row.raw !== true) await hostile.introduce()
    if (row.stalls === true) {
      for (const wire of victim.torrent.wires) (wire as unknown as { setTimeout(ms: number): void }).setTimeout(500)
    }
    await within(Promise.resolve(row.play(hostile, victim, t)), row.name)
    if (row.closes === true) await within(hostile.closed(), `the end of ${row.name}`)
    const wasClosed = hostile.isClosed
    await connect(honest, victim)
    await allDone([victim])
    const isRight = await digestOf(victim, 'out.bin') === expected
    const isClosedRight = row.closes === undefined || row.closes === wasClosed
    const isTold = row.strike === undefined || strikes.some(reason => row.strike!.test(reason))
    t.ok(isRight && isClosedRight && isTold && !honest.client.destroyed, row.name)
    if (!isRight) t.fail('wrong output')
    if (!isClosedRight) t.fail(`closed: ${wasClosed}`)
    if (!isTold) t.fail(`reported: ${strikes.join('; ')}`)
    hostile.socket.destroy()
    await new Promise<void>(resolve => { victim.client.destroy(() => { resolve() }) })
  }
})
