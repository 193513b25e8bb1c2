/**
 * Everything of ours that decodes foreign bytes, and the guarded decoders of other packages, as targets of the fuzzer.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import bencode from 'bencode'
import Wire from 'bittorrent-protocol'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import decodeMagnet from 'magnet-uri'
import utMetadata from 'ut_metadata'
import utPex from 'ut_pex'
import ltDontHave from 'lt_donthave'
import { decodeMessage, encodeMessages } from '../../extensions/ut_bitworker/codec.ts'
import type { Message } from '../../extensions/ut_bitworker/codec.ts'
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import { PeerState } from '../../extensions/ut_bitworker/state.ts'
import { decode, encode } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import type { Wire as WireType } from '../../lib/base/wire.ts'
import { guardMetadata, guardPex } from '../../lib/connections/extension-guards.ts'
import { limitWire } from '../../lib/connections/wire-limits.ts'
import { readLayout } from '../../lib/inputs/metainfo.ts'
import { readRoot } from '../../lib/inputs/roots/archive.ts'
import { decodeJournal, encodeHeader, encodeRecord } from '../../lib/store/journal.ts'
import { magnetProblem } from '../../lib/task/magnet-check.ts'
import { createTask, encodeTask, isTask, magnetOf, parseTask } from '../../lib/task/task.ts'
import '../../lib/webtorrent/package-guards.ts'
import type { FuzzTarget } from './fuzzer.ts'
import { archiveOf, block, chunksOf, withChecksum } from './tars.ts'

const BENCODE_TOKENS = [
  'd', 'l', 'i', 'e', '0:', '1:', ':', '-', 'i0e', 'de', 'le', '4:', '99999999999', '9:__proto__', '8:toString1:x'
]
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'latin1'))
const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)))
const digest = createHash('sha256').update('task').digest()
const bounds = { pieceCount: 1000, pieceLength: 65_536 }
const task = createTask({ name: 'out', command: 'true', parts: 1000, pieceLength: 65_536 })

/** Runs what may refuse its input with an error of ours, and with no other. */
function mayRefuse (fn: () => void): void {
  try {
    fn()
  } catch (err) {
    if (!(err instanceof BitWorkerError)) throw err
  }
}

/** Runs a decoder of somebody else's, which may refuse with any error but must end. */
function mayThrow (fn: () => void): void {
  try { fn() } catch {}
}

function demand (isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what)
}

const messages: Message[] = [
  { task: digest },
  {
    results: [
      { index: 3, size: 10, digest }, { index: 999, size: 65_536, digest }
    ]
  },
  { claims: [{ index: 1, elapsedMs: 5, estimateMs: 1000 }] },
  { releases: [1, 2, 999] },
  { neighbours: ['ab'.repeat(20)], parted: ['cd'.repeat(20)] },
  { withdrawals: [{ index: 4, peerId: 'ab'.repeat(20) }], backups: [{ index: 5, elapsedMs: 1, estimateMs: 2 }] },
  { relays: [{ index: 6, elapsedMs: 3, estimateMs: 4, peerId: 'ef'.repeat(20), firstElapsedMs: 1, isBackup: true }] },
  { proof: [new Uint8Array(64)], members: [{ key: 'ab'.repeat(32), trustedKey: 'cd'.repeat(32), certificate: new Uint8Array(64) }] },
  {
    attestations: [{ index: 3, size: 10, digest, kind: 2, basis: null, key: 'ab'.repeat(32), signature: new Uint8Array(64) }],
    asks: [0, 999]
  },
  {
    branches: [{ index: 3, size: 10, digest, kind: 0, basis: null, key: 'ab'.repeat(32), signature: new Uint8Array(64), branch: { position: 3, hashes: new Uint8Array(128) } }],
    batches: [{ count: 2, signature: new Uint8Array(64) }],
    results: [1, 2, 3].map(index => ({ index, size: 10, digest }))
  },
  {
    task: digest,
    results: [{ index: 0, size: 1, digest }],
    releases: [7],
    claims: [{ index: 8, elapsedMs: 0, estimateMs: 0 }]
  }
]

const identity = { key: 'ef'.repeat(32), nonce: new Uint8Array(16) }
const journalBounds = { infoHash: task.infoHash, digest, ...bounds, fileCount: 2 }
const journalRecord = encodeRecord({ type: 1, index: 5, size: 10, digest })

/** A connection that got as far as the handshake, with everything that listens to a task's peer. */
function connected (): WireType & { _write (data: Uint8Array, cb: () => void): void } {
  const wire = new Wire('tcpIncoming', 1)
  wire.once('handshake', () => {
    wire.use(utBitworker({ task: { digest, ...bounds }, identity }))
    wire.use(utMetadata())
    ;(wire.ut_metadata as unknown as { fetch: () => void }).fetch()
    wire.use(utPex())
    wire.use(ltDontHave())
    guardMetadata(wire, task.infoHash)
    guardPex(wire)
    limitWire(
      wire, (wire as unknown as { ut_bitworker: Parameters<typeof limitWire>[1] }).ut_bitworker, bounds.pieceCount
    )
    wire.handshake(task.infoHash, Buffer.alloc(20, 2), { fast: true })
  })
  wire.resume()
  return wire as unknown as ReturnType<typeof connected>
}

function frame (...bytes: number[]): Uint8Array {
  return text(String.fromCharCode(0, 0, bytes.length >> 8, bytes.length & 255, ...bytes))
}

const HANDSHAKE = text(`\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04${'\x01'.repeat(40)}`)
const extended = (id: number, payload: Uint8Array): Uint8Array => frame(20, id, ...payload)
const extendedHandshake = encode({
  m: { ut_bitworker: 1, ut_metadata: 2, ut_pex: 3 },
  metadata_size: 20_000,
  bitworker: { v: 1, task: digest, key: new Uint8Array(32), nonce: new Uint8Array(16) },
  p: 6881,
  reqq: 250
})
const u32 = (...values: number[]): number[] =>
  values.flatMap(value => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])

/**
 * What a wire is sent: a handshake (which is not mutated), then the input; or the input as it is if that is a key
 * exchange.
 */
function runWire (input: Uint8Array): void {
  const wire = connected()
  const isKeyExchange = input[0] === 0xff
  for (const bytes of isKeyExchange ? [input.subarray(1)] : [HANDSHAKE, input]) wire._write(bytes, () => {})
  open.push(wire)
}

const open: WireType[] = []

async function closeAll (): Promise<void> {
  for (const wire of open.splice(0)) wire.destroy()
  await new Promise(resolve => { setImmediate(resolve) })
}

/** As what unpacks it does, whose folder must not be left. All headers have the right checksum. */
async function readAsRoot (input: Uint8Array): Promise<void> {
  const tar = Buffer.from(input)
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const header = tar.subarray(at, at + 512)
    if (header.some(byte => byte !== 0)) header.set(withChecksum(header))
  }
  const [folders, files, links] = [new Set(['']), new Set<string>(), new Set<string>()]
  const enter = (at: string[], to: Set<string>): void => {
    const name = at.join('/')
    demand(at.every(each => !['', '.', '..'].includes(each) && !/[/\0]/.test(each)), `an unsafe name: ${name}`)
    demand(folders.has(at.slice(0, -1).join('/')), `its folder is not there: ${name}`)
    demand(![folders, files, links].some(kind => kind.has(name)), `it is there: ${name}`)
    to.add(name)
  }
  let bytes = 0
  try {
    await readRoot(chunksOf(tar, 700), { bytes: 1000, entries: 5, nameBytes: 500, ratio: 2, slackBytes: 100 }, {
      folder: async at => { enter(at, folders) },
      folderTime: at => { demand(folders.has(at.join('/')), 'no such folder') },
      file: async (at, _, data) => {
        enter(at, files)
        for await (const chunk of data) bytes += chunk.length
        demand(bytes <= 1000, 'more than its limit')
      },
      hardLink: async (at, target) => {
        demand(files.has(target.join('/')), 'no such file')
        enter(at, files)
      },
      symlink: (at, target) => {
        // a root as deep as the link can climb
        const folder = ['', 'root', ...at.slice(0, -1)].join('/')
        demand(target.startsWith('/') || `${path.resolve(folder, target)}/`.startsWith('/root/'), `a link out: ${target}`)
        enter(at, links)
      }
    })
  } catch (err) {
    if (!(err instanceof BitWorkerError)) throw err
  }
}

/** All of them. */
export const targets: FuzzTarget[] = [
  {
    name: 'task',
    files: /\/lib\/(task|base\/bencode|bencode)[^:]*\.ts$/,
    seeds: [
      ...['squares.bitworker', 'tables.bitworker', 'legacy-squares.rbw', 'legacy-films.worker'].map(fixture),
      encodeTask(createTask({
        name: 'x',
        command: 'true',
        parts: 2,
        inputs: [
          { name: 'run.sh', data: text('true') },
          { name: 'list', length: 99, infoHash: 'ab'.repeat(20), sha256: digest, files: 2, split: { by: 'table', chunk: 2, columns: ['a', 'b'] } }
        ]
      }))
    ],
    tokens: [...BENCODE_TOKENS, '12:piece length', '6:length', '5:files', '4:path', '2:..', '4:name', '9:bitworker',
      '7:command', '13:announce-list', '6:inputs', '9:info hash20:', '6:sha25632:', '5:split', '7:versioni2e'],
    run: input => {
      isTask(input)
      mayRefuse(() => {
        const parsed = parseTask(input)
        demand(
          parseTask(encodeTask(parsed)).infoHash === parsed.infoHash,
          'a task file is not the same after writing it again'
        )
      })
    }
  },
  {
    name: 'input',
    files: /\/lib\/(inputs\/(links|metainfo)|task\/names)\.ts$/,
    seeds: [
      encode({ length: 20_000, name: 'x', 'piece length': 16_384, pieces: '1'.repeat(40) }),
      encode({
        files: [
          { attr: 'x', length: 1, path: ['a', 'b'] }, { attr: 'p', length: 7, path: ['.pad', '7'] }, { length: 0, path: ['c'] },
          { attr: 'l', length: 0, path: ['d', 'e'], 'symlink path': ['f'] },
          { attr: 'l', length: 0, path: ['f'], 'symlink path': ['a'] }
        ],
        name: 'x',
        'piece length': 8,
        pieces: '1'.repeat(20)
      })
    ],
    tokens: [...BENCODE_TOKENS, '12:piece length', '6:length', '5:files', '4:path', '2:..', '4:name', '6:pieces20:',
      '4:attr1:l', '12:symlink path'],
    run: input => {
      mayRefuse(() => {
        const { files, links, length, torrentLength } = readLayout(input, 'x')
        demand(files.reduce((sum, file) => sum + file.length, 0) === length, 'its length is not that of its files')
        demand(files.every(file => file.offset + file.length <= torrentLength), 'a file beyond the end')
        const entries = [...files, ...links].map(entry => entry.path)
        demand(
          links.every(link => entries.some(at => at === link.target || at.startsWith(`${link.target}/`))),
          'a link to what is not in it'
        )
      })
    }
  },
  {
    name: 'root',
    files: /\/inputs\/roots\/[a-z-]+\.ts$|tar-stream/,
    seeds: [
      archiveOf(block({ name: 'a/b' }, 'data'), block({ name: 'a/c', type: '1', link: 'a/b' }), block({ name: 'd', type: '2', link: '../x' })),
      archiveOf(block({ name: 'x', type: 'x' }, '10 path=a\n'), block({ name: 'dir/', type: '5' })),
      archiveOf(block({ name: 'L', type: 'L' }, 'long\0'), block({ magic: 'ustar  \0' }, '1'))
    ],
    tokens: ['../', '/', './', '\0', '7777777', '\x80', '\xff', '9 size=1\n', 'dev/', 'ustar', 'GNU.sparse.', '-5 a=', 'a', '5', '2', '1', 'L', 'x'],
    looks: 4,
    run: readAsRoot
  },
  {
    name: 'bencode',
    files: /\/bencode[a-z-]*\.ts$/,
    seeds: [fixture('squares.bitworker'), text('d1:ai1e1:bl1:ci-5eee'), text('i0e'), text('le')],
    tokens: BENCODE_TOKENS,
    run: input => {
      mayRefuse(() => {
        demand(Buffer.compare(encode(decode(input)), input) === 0, 'what was decoded is not the same when encoded')
      })
    }
  },
  {
    name: 'magnet',
    files: /\/magnet[a-z-]*\.ts$|magnet-uri|bep53-range/,
    seeds: [text(magnetOf(task, { peers: ['127.0.0.1:6881'] })),
      text('magnet:?xt=urn:btih:aaaabbbbccccddddeeeeffffgggghhhh&so=0,2-4&ws=http%3A%2F%2Fx&kt=a+b')],
    tokens: ['&so=', '0-99', '-', ',', '999999999', '&tr=', '%', '%25', '&x.pe=', 'urn:btih:', 'urn:btmh:1220', '=',
      '&dn=', '&xt=', '__proto__'],
    run: input => {
      const link = Buffer.from(input).toString('latin1')
      // as parse-torrent does, whose errors WebTorrent turns into the torrent's
      if (magnetProblem(link) === undefined && /^(stream-)?magnet:/.test(link)) mayThrow(() => { decodeMagnet(link) })
    }
  },
  {
    name: 'message',
    files: /\/extensions\/ut_bitworker\/[a-z-]+\.ts$|\/bencode\.ts$/,
    seeds: messages.flatMap(message => encodeMessages(message)),
    tokens: [...BENCODE_TOKENS, '4:task32:', '7:results44:', '8:releases4:', '6:claims12:', '5:proof64:', '7:members128:',
      '12:attestations173:', '8:branches302:', '7:batches65:', '4:asks4:', '\0\0\0\x01',
      '\xff\xff\xff\xff'],
    run: input => {
      mayRefuse(() => {
        const message = decodeMessage(input, bounds)
        for (const bytes of encodeMessages(message)) decodeMessage(bytes, bounds)
      })
      mayRefuse(() => { decodeMessage(input) })
      const state = new PeerState({ localTask: { digest, ...bounds } })
      state.signing.own = identity
      state.onHandshake({ bitworker: { v: 1, task: digest, key: new Uint8Array(32), nonce: new Uint8Array(16) } })
      for (let now = 0; now < 3; now++) state.onMessage(input, now * 60_000)
      demand(state.claims.size <= 64, 'more than 64 claims')
    }
  },
  {
    name: 'handshake',
    files: /\/extensions\/ut_bitworker\/state\.ts$|\/[a-z-]*guards\.ts$|\/bencode\/lib|\/bittorrent-protocol\/index/,
    seeds: [extendedHandshake, encode({ m: { ut_bitworker: 1 }, bitworker: { v: 1 } }), encode({ m: {}, v: 'x' })],
    tokens: [...BENCODE_TOKENS, '1:m', '12:ut_bitworker', '9:bitworker', '1:v', '4:task32:', '3:key32:', '5:nonce16:', '13:metadata_size'],
    settle: closeAll,
    run: input => {
      mayThrow(() => { new PeerState({ localTask: { digest, ...bounds } }).onHandshake(bencode.decode(input)) })
      if (input.length < 60_000) runWire(extended(0, input))
    }
  },
  {
    name: 'journal',
    files: /\/journal\.ts$/,
    seeds: [20, 0].map(cut => Buffer.concat([encodeHeader(journalBounds), journalRecord,
      journalRecord.subarray(0, cut)])),
    tokens: ['BWJ1', Buffer.from(journalRecord).toString('latin1'), '\0\0\0\0'],
    run: input => {
      const { records, validBytes } = decodeJournal(input, journalBounds)
      demand(
        validBytes <= input.length && records.every(({ index }) => index < bounds.pieceCount), 'a record out of bounds'
      )
    }
  },
  ...[['bencode-webtorrent', bencode] as const,
    ['bencode-dht', dhtBencode] as const].map(([name, copy]): FuzzTarget => ({
    name,
    files: /\/[a-z-]*guards\.ts$|\/bencode\/lib/,
    seeds: [extendedHandshake, text('d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe')],
    tokens: BENCODE_TOKENS,
    run: input => { mayThrow(() => { copy.decode(input) }) }
  })),
  {
    name: 'wire',
    files: /\/([a-z-]*guards|wire-limits|token-bucket)\.ts$|\/extensions\/|\/bittorrent-protocol\/|\/ut_metadata\/|\/ut_pex\/|\/lt_donthave\//,
    seeds: [
      Buffer.concat([extended(0, extendedHandshake), frame(14), frame(1), frame(2), frame(4, ...u32(7))]),
      Buffer.concat([frame(5, ...new Uint8Array(125)), frame(6, ...u32(0, 0, 16_384)), frame(7, ...u32(0, 0)),
        frame(8, ...u32(0, 0, 1))]),
      Buffer.concat([extended(0, extendedHandshake),
        ...[0, 1].map(type => extended(2, text(`d8:msg_typei${type}e5:piecei0eexxxx`)))]),
      Buffer.concat([extended(0, extendedHandshake),
        extended(3, encode({ added: Uint8Array.of(127, 0, 0, 1, 26, 225), dropped: '' }))]),
      Buffer.concat([extended(0, extendedHandshake),
        ...messages.flatMap(each => encodeMessages(each)).map(each => extended(1, each))]),
      Buffer.concat([frame(9, 1, 2), frame(13, ...u32(1)), frame(15), frame(16, ...u32(1, 0, 4)),
        frame(17, ...u32(2)), Buffer.alloc(4)]),
      Buffer.concat([frame(14), extended(4, Uint8Array.from(u32(7)))]),
      Buffer.concat([Uint8Array.of(0xff), Buffer.alloc(96, 0x55), Buffer.alloc(80, 7)])
    ],
    tokens: [...BENCODE_TOKENS, '\0\0\0\0', '\0\0\0\x01', '\0\0\0\x05\x04', '\0\0\0\x0d\x06', '\xff\xff\xff\xff',
      '\x14\0', '\x14\x01', '\0'.repeat(96)],
    settle: closeAll,
    run: runWire
  }
]
