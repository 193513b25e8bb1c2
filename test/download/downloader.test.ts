// Fetching pieces, from wires that are driven by hand.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import test from 'tape'
import type { Wire } from '../../lib/base/wire.ts'
import { Downloader } from '../../lib/download/downloader.ts'
import { TaskPeer } from '../../lib/peers/task-peer.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import type { DeliveryForecast } from '../../lib/scheduling/delivery-forecast.ts'
import type { PieceDraft } from '../../lib/store/types.ts'

type Respond = (err: Error | null, block?: Uint8Array) => void

interface Request { piece: number, offset: number, length: number, respond: Respond }

/** As much of a wire as the downloader uses. */
class FakeWire {
  destroyed = false
  peerChoking = false
  /** every request fails at once, as on a wire that is closing */
  isClosing = false
  readonly peerExtendedHandshake = {}
  readonly requests: Request[] = []

  downloadSpeed (): number { return 0 }

  request (piece: number, offset: number, length: number, respond: Respond): void {
    if (this.isClosing) return respond(new Error('wire is closed'))
    this.requests.push({ piece, offset, length, respond })
  }

  cancel (piece: number, offset: number): void {
    const at = this.requests.findIndex(request => request.piece === piece && request.offset === offset)
    for (const { respond } of this.requests.splice(at, 1)) respond(new Error('request was cancelled'))
  }

  /** Answers all open requests and those that follow. */
  answer (data: (piece: number) => Uint8Array): void {
    for (let request = this.requests.shift(); request !== undefined; request = this.requests.shift()) {
      const { piece, offset, length, respond } = request
      respond(null, data(piece).subarray(offset, offset + length))
    }
  }

  close (): void {
    this.destroyed = true
    for (const { respond } of this.requests.splice(0)) respond(new Error('wire was closed'))
  }
}

interface Swarm {
  downloader: Downloader
  peers: TaskPeer[]
  wires: FakeWire[]
  stored: Map<number, Uint8Array>
  /** what a reader waits for */
  urgent: Set<number>
  /** the most bytes that were written at a time */
  largest: { write: number }
  /** takes writes up, or holds them back */
  disk: { isReady: Promise<void> }
  /** whether too many pieces wait to be judged, and until when each does */
  host: { isFull: boolean, judged: Promise<void> }
  /** the peers that were blamed, by their place */
  blamed: number[]
}

/** Peers that all hold the same pieces. */
function createSwarm (pieces: Uint8Array[], peerCount: number): Swarm {
  const table = new ResultTable(pieces.length)
  const wires = Array.from({ length: peerCount }, () => new FakeWire())
  const peers = wires.map(wire => new TaskPeer(wire as unknown as Wire, {} as TaskPeer['ext'], table.addPeer()))
  const stored = new Map<number, Uint8Array>()
  const blamed: number[] = []
  const urgent = new Set<number>()
  const largest = { write: 0 }
  const disk = { isReady: Promise.resolve() }
  const host = { isFull: false, judged: Promise.resolve() }
  const receive = (index: number, size: number): PieceDraft => {
    const bytes = Buffer.alloc(size)
    return {
      write: async (at, data) => {
        largest.write = Math.max(largest.write, data.length)
        await disk.isReady
        bytes.set(data, at)
      },
      hashInto: async (digest, at, length) => { digest.update(bytes.subarray(at, at + length)) },
      commit: async result => {
        stored.set(index, bytes)
        return result
      },
      discard: () => {}
    }
  }
  const deliveries = { asked () {}, rests () {}, received () {}, isSooner: () => false } as unknown as DeliveryForecast
  const scheduler = { isUrgent: (index: number) => urgent.has(index), deliveries }
  const downloader = new Downloader({ scheduler, peers, store: { receive } }, {
    needs: index => !stored.has(index),
    accepts: () => true,
    get isFull () { return host.isFull },
    downloaded: async (_index, result, draft) => {
      await host.judged
      await draft.commit(result)
    },
    broken: err => { throw err },
    distrust: (peer, index) => {
      blamed.push(peers.indexOf(peer))
      peer.results.forget(index)
    }
  })
  for (const peer of peers) {
    for (const [index, data] of pieces.entries()) {
      peer.results.announce(index, { size: data.length, digest: createHash('sha256').update(data).digest() })
      peer.results.setHave(index)
      downloader.offer(peer, index)
    }
  }
  return { downloader, peers, wires, stored, blamed, largest, disk, host, urgent }
}

/** All microtasks that are due have run. */
async function settle (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}

const LARGE = new Uint8Array(2 << 20).fill(7)

test('nothing is requested before it may be', async t => {
  const { downloader, peers, wires, stored } = createSwarm([Uint8Array.of(1)], 1)
  downloader.requestMore(peers[0]!)
  t.equal(wires[0]!.requests.length, 0)
  downloader.open()
  downloader.requestMore(peers[0]!)
  wires[0]!.answer(() => Uint8Array.of(1))
  await settle()
  t.same([...stored.keys()], [0])
})

test('nothing more is requested while too many complete pieces wait', async t => {
  const pieces = Array.from({ length: 1000 }, (_, i) => Uint8Array.of(i & 0xff, i >> 8))
  const { downloader, peers, wires, stored, host } = createSwarm(pieces, 1)
  const [wire, peer] = [wires[0]!, peers[0]!]
  downloader.open()
  downloader.requestMore(peer)
  const first = wire.requests.length
  let judge: (() => void) | undefined
  Object.assign(host, { isFull: true, judged: new Promise<void>(resolve => { judge = resolve }) })
  wire.answer(index => pieces[index]!)
  await settle()
  t.same([wire.requests.length, stored.size], [0, 0], 'none is requested, none stored')
  t.ok(first < pieces.length)
  host.isFull = false
  judge?.()
  await settle()
  t.equal(stored.size, first)
  t.ok(wire.requests.length > 0, 'as soon as they are judged it goes on')
})

test('a closing wire that fails thousands of requests at once', async t => {
  const pieces = Array.from({ length: 20_000 }, (_, i) => Uint8Array.of(i & 0xff, i >> 8))
  const { downloader, peers, wires } = createSwarm(pieces, 1)
  downloader.open()
  wires[0]!.isClosing = true
  downloader.requestMore(peers[0]!)
  await settle()
  t.pass('is survived')
})

test('a large piece that is fetched from one peer alone, which leaves', async t => {
  const { downloader, peers, wires, stored, blamed } = createSwarm([LARGE], 2)
  downloader.open()
  for (const peer of peers) downloader.requestMore(peer)
  t.ok(wires.every(wire => wire.requests.length > 0), 'both share the work')
  wires[0]!.answer(() => new Uint8Array(LARGE.length))
  wires[1]!.answer(() => LARGE)
  await settle()
  t.same(blamed, [], 'who sent wrong data cannot be told')
  const [single, other] = wires[0]!.requests.length > 0 ? [0, 1] : [1, 0]
  t.equal(wires[other]!.requests.length, 0, 'the next time one peer sends it all')
  const [leaving] = peers.splice(single, 1)
  wires[single]!.close()
  leaving!.results.clear()
  downloader.removePeer(leaving!)
  await settle()
  wires[other]!.answer(() => LARGE)
  await settle()
  t.same([...stored.keys()], [0], 'the other one takes over')
})

test('a small piece that is no longer requested is no obstacle', async t => {
  const { downloader, peers, wires, stored } = createSwarm([LARGE.subarray(0, 100_000)], 2)
  downloader.open()
  downloader.requestMore(peers[0]!)
  const [leaving] = peers.splice(0, 1)
  // it has sent all it was asked for, and its last request fails only after it is gone
  wires[0]!.requests.length = 0
  leaving!.results.clear()
  downloader.removePeer(leaving!)
  await settle()
  wires[1]!.answer(() => LARGE)
  await settle()
  t.same([...stored.keys()], [0])
})

const HUGE = new Uint8Array(9 * (1 << 20) + 5).map((_, i) => i * 7 >> 5)

/** Answers the oldest requests only. */
function trickle (wire: FakeWire, data: Uint8Array, count: number): void {
  for (const { offset, length, respond } of wire.requests.splice(0, count)) {
    respond(null, data.subarray(offset, offset + length))
  }
}

test('a huge piece is written as it arrives, and continues when a source is lost', async t => {
  const { downloader, peers, wires, stored, largest, blamed } = createSwarm([HUGE], 2)
  downloader.open()
  for (const peer of peers) downloader.requestMore(peer)
  for (let i = 0; i < 3; i++) for (const wire of wires) trickle(wire, HUGE, 50)
  t.ok(largest.write > 0 && largest.write <= 1 << 20, 'written in windows, long before it is complete')
  const before = downloader.bufferedBytes
  const [leaving] = peers.splice(0, 1)
  wires[0]!.close()
  leaving!.results.clear()
  downloader.removePeer(leaving!)
  t.equal(downloader.bufferedBytes, before, 'what has come stays')
  await settle()
  wires[1]!.answer(() => HUGE)
  for (let i = 0; i < 20 && stored.size === 0; i++) await settle()
  t.ok(Buffer.from(stored.get(0)!).equals(HUGE))
  t.same(blamed, [])
})

test('a slow disk holds requests back', async t => {
  const pieces = Array.from({ length: 6 }, () => HUGE)
  const { downloader, peers, wires, stored, disk } = createSwarm(pieces, 1)
  const gate = new AbortController()
  disk.isReady = once(gate.signal, 'abort').then(() => {})
  downloader.open()
  downloader.requestMore(peers[0]!)
  wires[0]!.answer(() => HUGE)
  t.equal(wires[0]!.requests.length, 0)
  t.ok(downloader.bufferedBytes < 40 << 20, `${downloader.bufferedBytes} bytes wait`)
  gate.abort()
  for (let i = 0; i < 100 && stored.size < 6; i++) {
    await settle()
    wires[0]!.answer(() => HUGE)
  }
  t.equal(stored.size, 6)
})

test('a peer that trickles cannot keep a piece to itself', async t => {
  const small = LARGE.subarray(0, 100_000)
  for (const data of [small, LARGE]) {
    const { downloader, peers, wires, stored, blamed } = createSwarm([data], 2)
    downloader.open()
    for (const peer of peers) downloader.requestMore(peer)
    wires[1]!.answer(() => data)
    downloader.hasten()
    trickle(wires[0]!, data, 1)
    t.equal(wires[1]!.requests.length, 0, 'it is given some time')
    downloader.hasten()
    t.ok(wires[1]!.requests.length > 0, 'then another holder is asked, too')
    wires[1]!.answer(() => data)
    await settle()
    t.same([...stored.keys()], [0])
    t.same(blamed, [])
  }
})

test("a reader's piece comes first, then the one that was begun", async t => {
  const pieces = Array.from({ length: 40 }, (_, i) => new Uint8Array(100_000).fill(i))
  const { downloader, peers, wires, stored, urgent } = createSwarm(pieces, 1)
  downloader.open()
  downloader.requestMore(peers[0]!)
  for (const index of [30, 31]) {
    urgent.add(index)
    downloader.offer(peers[0]!, index)
  }
  const begun = new Set(wires[0]!.requests.map(({ piece }) => piece))
  const before = wires[0]!.requests.length
  for (let i = 0; i < 7; i++) trickle(wires[0]!, pieces[0]!, 1)
  t.same(
    [...new Set(wires[0]!.requests.slice(before - 7).map(({ piece }) => piece))],
    [30],
    'not before what was asked for already'
  )
  wires[0]!.answer(piece => pieces[piece]!)
  await settle()
  t.ok(begun.size < 12)
  t.same([...stored.keys()].slice(0, begun.size + 2).filter(index => index >= 30), [30, 31])
  t.equal(stored.size, 40, 'and nothing is left out')
})

test('a piece that is not expected of its source is requested from a peer that it is expected of', async t => {
  const [small, other] = [new Uint8Array(1000).fill(1), new Uint8Array(1000).fill(2)]
  const { downloader, peers, wires, stored } = createSwarm([small, other], 3)
  const [liar, slow, honest] = peers
  for (const peer of peers.slice(1)) peer.results.clear()
  downloader.open()
  downloader.requestMore(liar!)
  t.equal(wires[0]!.requests.length, 2)
  const announce = (peer: TaskPeer, index: number, isExpected: boolean): void => {
    peer.results.announce(index, liar!.results.result(index)!)
    peer.results.setHave(index)
    if (isExpected) peer.holder.expected.add(index)
    downloader.offer(peer, index)
    downloader.requestMore(peer)
  }
  announce(slow!, 0, false)
  t.equal(wires[1]!.requests.length, 0, 'no better than who was asked first')
  announce(honest!, 0, true)
  t.same(wires.map(({ requests }) => requests.length), [1, 0, 1], 'as soon as it is announced')
  liar!.holder.expected.add(1)
  announce(honest!, 1, true)
  t.same(wires.map(({ requests }) => requests.length), [1, 0, 1], 'the other piece is expected of who was asked')
  liar!.holder.expected.clear()
  downloader.reassign()
  await settle()
  t.same(wires.map(({ requests }) => requests.length), [0, 0, 2], 'or as soon as it is not any more')
  wires[2]!.answer(index => index === 0 ? small : other)
  await settle()
  await settle()
  t.equal(stored.size, 2)
})
