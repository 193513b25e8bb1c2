// Who is told what, and when: real extensions and wires of the simulator on a virtual clock.
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { Tally } from '../../bench/simulator/tally.ts'
import { Transit } from '../../bench/simulator/transit.ts'
import { SimulatedWire } from '../../bench/simulator/wire.ts'
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { LocalTask, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { Neighbours } from '../../lib/peers/neighbours.ts'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import type { Result } from '../../lib/results/result.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'

const PIECES = 30
const TASK: LocalTask = { digest: new Uint8Array(32).fill(1), pieceCount: PIECES, pieceLength: 100 }
const LATENCY_MS = 50

function resultOf (index: number): Result { return { size: 1, digest: new Uint8Array(32).fill(index) } }

function hexOf (bytes: Uint8Array): string { return Buffer.from(bytes).toString('hex') }

class Swarm {
  readonly clock = new VirtualClock()
  readonly tally = new Tally()
  readonly transit = new Transit(this.clock)

  async wait (ms: number): Promise<void> {
    let isOver = false
    this.clock.post(ms, () => { isOver = true })
    await this.clock.run(() => isOver, Infinity)
  }

  /** Neighbours that meet; wires and extensions of both ends. */
  connect (a: Node, b: Node, task: LocalTask | null = TASK): { wires: SimulatedWire[], exts: UtBitworker[] } {
    const wire = ({ peerId }: Node): SimulatedWire =>
      new SimulatedWire(this, LATENCY_MS, { peerId, pieceCount: PIECES })
    const wires = [wire(b), wire(a)] as const
    SimulatedWire.link(...wires)
    return { wires: [...wires], exts: [a.meet(wires[0], TASK), b.meet(wires[1], task)] }
  }
}

class Node {
  readonly peerId: Uint8Array
  readonly neighbours: Neighbours
  /** what its peers said, each time they said it */
  readonly heard: number[] = []
  /** what it can fetch */
  readonly available: number[] = []
  believes = true
  readonly scheduler: Scheduler
  readonly #swarm: Swarm
  readonly #results = new ResultTable(PIECES)

  /** @param verifying our key, if there is one; default: we sign nothing */
  constructor (swarm: Swarm, id: number, verifying?: { ownKey: string | null }) {
    this.#swarm = swarm
    this.peerId = new Uint8Array(20).fill(id)
    const scheduler = this.scheduler = new Scheduler({
      pieceCount: PIECES, peerId: hexOf(this.peerId), random: () => 0, now: swarm.clock.now
    })
    const { clock } = swarm
    const shared = { results: this.#results, scheduler, clock, peerId: this.peerId, store: { get () {} } }
    const parts = { ...shared, ...(verifying && { verifying }) }
    this.neighbours = new Neighbours(parts, {
      claims: () => [],
      joined: () => {},
      believes: () => this.believes,
      available: (_peer, index) => { this.available.push(index) },
      yield: () => {},
      updated: () => {},
      left: () => {},
      sealed: () => {},
      misbehaved: (_peer, reason) => { throw new Error(reason) }
    })
  }

  meet (wire: SimulatedWire, task: LocalTask | null): UtBitworker {
    const { clock } = this.#swarm
    const opts = { now: clock.now, schedule: (flush: () => void, ms: number) => { clock.post(ms, flush) } }
    const ext = new (utBitworker(task === null ? opts : { ...opts, task }))(wire.asWire)
    ext.on('results', records => { this.heard.push(...records.map(({ index }) => index)) })
    wire.once('extended', () => {
      this.neighbours.add(wire.asWire, ext)
      this.neighbours.greet(wire.asWire)
    })
    wire.open(ext)
    return ext
  }

  peer (other: Node): TaskPeer {
    return [...this.neighbours].find(peer => peer.id === hexOf(other.peerId))!
  }

  store (index: number, sources: TaskPeer[] = [], result = resultOf(index)): void {
    this.#results.setOwn(index, result)
    this.neighbours.announce(index, result, sources)
  }

  lose (index: number): void {
    this.#results.setOwn(index, undefined)
    this.neighbours.withdraw(index)
  }
}

/** Two that have met. */
async function pair (ownKey: string | null = null): Promise<{ swarm: Swarm, a: Node, b: Node, exts: UtBitworker[] }> {
  const swarm = new Swarm()
  const [a, b] = [new Node(swarm, 1, { ownKey }), new Node(swarm, 2)]
  const { exts } = swarm.connect(a, b)
  await swarm.wait(500)
  return { swarm, a, b, exts }
}

test('pieces that are stored before and after two peers meet are announced once', async t => {
  const swarm = new Swarm()
  const [a, b] = [new Node(swarm, 1), new Node(swarm, 2)]
  a.store(0)
  a.store(1)
  swarm.connect(a, b)
  a.store(2)
  await swarm.wait(500)
  a.store(3)
  a.store(4)
  b.store(5)
  await swarm.wait(500)
  t.same(b.heard, [0, 1, 2, 3, 4])
  t.same(a.heard, [5])
  t.same(a.available, [5], 'with its bit')
})

test('nothing is expected of a peer that is not believed, whatever it delivers, until it is', async t => {
  const { swarm, a, b } = await pair()
  for (let index = 0; index < 10; index++) b.store(index)
  await swarm.wait(500)
  const peer = a.peer(b)
  t.equal(a.scheduler.deliveries.expected, 8, 'as much as of any newcomer')
  a.believes = false
  a.neighbours.reconsiderAll(peer)
  a.neighbours.delivered(peer, 1)
  t.equal(a.scheduler.deliveries.expected, 0)
  t.equal(a.scheduler.ready, PIECES, 'all is to be computed here')
  a.neighbours.offerAgain(3)
  t.equal(a.scheduler.deliveries.expected, 0)
  a.believes = true
  a.neighbours.reconsiderAll(peer)
  t.equal(a.scheduler.deliveries.expected, 10, 'it has delivered')
})

test('a piece that is lost before it was announced is not announced', async t => {
  const { swarm, a, b } = await pair()
  a.store(0)
  await swarm.wait(20)
  a.store(1)
  a.store(2)
  a.lose(1)
  await swarm.wait(500)
  t.same(b.heard, [0, 2])
  a.store(1)
  await swarm.wait(500)
  t.same(b.heard, [0, 2, 1], 'until it is there again')
})

test('who signs announces its pieces together: the first one at once, then every 200 ms, or 16', async t => {
  const { swarm, a, b } = await pair('ab'.repeat(32))
  a.store(0)
  await swarm.wait(10 + LATENCY_MS)
  t.same(b.heard, [0], 'at once')
  for (const index of [1, 2, 3]) a.store(index)
  a.lose(2)
  await swarm.wait(120)
  t.same(b.heard, [0])
  await swarm.wait(100)
  t.same(b.heard, [0, 1, 3])
  for (let index = 4; index < 20; index++) a.store(index)
  await swarm.wait(10 + LATENCY_MS)
  t.equal(b.heard.length, 19, 'enough for a signature')
  a.store(20)
  const late = new Node(swarm, 3)
  swarm.connect(a, late)
  await swarm.wait(500)
  t.same(late.heard, [0, 1, ...Array.from({ length: 18 }, (_, i) => i + 3)], 'who comes is told all, once')
  t.same(b.heard.slice(19), [20])
})

test('who signs nothing announces each piece at once', async t => {
  const { swarm, a, b } = await pair()
  for (const index of [0, 1, 2]) {
    a.store(index)
    await swarm.wait(10 + LATENCY_MS)
    t.equal(b.heard.length, index + 1)
  }
})

test('a piece that is stored again is announced with its latest result', async t => {
  const { swarm, a, b } = await pair()
  a.store(0)
  await swarm.wait(LATENCY_MS)
  a.store(1)
  a.store(2)
  a.lose(2)
  a.store(2, [], resultOf(9))
  await swarm.wait(500)
  t.same(b.heard, [0, 1, 2])
  t.same(b.peer(a).results.result(2), resultOf(9))
})

test('a claim ends with its result even if the peer was as fast', async t => {
  const { swarm, a, b, exts } = await pair()
  for (const index of [0, 1]) {
    a.neighbours.claims.claim([{ index, elapsedMs: 0, estimateMs: 1_000 }], { isBackup: false })
  }
  await swarm.wait(500)
  t.same([...exts[1]!.state.claims.keys()], [0, 1])
  b.store(0)
  await swarm.wait(500)
  a.store(0)
  await swarm.wait(500)
  t.same([...exts[1]!.state.claims.keys()], [1])
  t.same([...exts[0]!.state.sentClaims.keys()], [1])
})

test('peers that have the piece are not told', async t => {
  const { swarm, a, b } = await pair()
  b.store(0)
  await swarm.wait(500)
  a.store(0, [a.peer(b)])
  a.store(1)
  await swarm.wait(5_000)
  t.same(b.heard, [1])
})

test('a peer that our source has told is told later, if it has not fetched the piece by then', async t => {
  const swarm = new Swarm()
  const [a, b, c, d] = [new Node(swarm, 1), new Node(swarm, 2), new Node(swarm, 3), new Node(swarm, 4)]
  for (const [one, other] of [[a, b], [a, c], [b, c], [a, d]] as const) swarm.connect(one, other)
  await swarm.wait(1_000)
  b.store(0)
  b.store(1)
  await swarm.wait(500)
  c.store(0, [c.peer(b)])
  await swarm.wait(900)
  a.store(0, [a.peer(b)])
  a.store(1, [a.peer(b)])
  await swarm.wait(100)
  t.same(d.heard, [0, 1], 'who is not connected to it hears at once')
  t.same(c.heard, [0, 1], 'from the source')
  await swarm.wait(3_000)
  t.same(c.heard, [0, 1, 1], 'what it did not fetch: from us, too')
})

test('when the source has left, its pieces are announced at once', async t => {
  const swarm = new Swarm()
  const [a, b, c] = [new Node(swarm, 1), new Node(swarm, 2), new Node(swarm, 3)]
  const { wires } = swarm.connect(a, b)
  swarm.connect(a, c)
  swarm.connect(b, c)
  await swarm.wait(1_000)
  a.store(0, [a.peer(b)])
  await swarm.wait(10)
  a.store(1, [a.peer(b)])
  wires[0]!.destroy()
  await swarm.wait(LATENCY_MS + 50)
  t.same(new Set(c.heard), new Set([0, 1]))
})

test('a peer that gets its metadata later is told everything that was stored in the meantime', async t => {
  const swarm = new Swarm()
  const [a, b] = [new Node(swarm, 1), new Node(swarm, 2)]
  a.store(0)
  const { exts } = swarm.connect(a, b, null)
  await swarm.wait(500)
  a.store(1)
  a.store(2)
  await swarm.wait(500)
  t.same(b.heard, [])
  exts[1]!.setTask(TASK)
  await swarm.wait(500)
  t.same(b.heard, [0, 1, 2])
  t.same(b.available, [1, 2], 'with the bits that came after the bitfield')
  a.store(3)
  await swarm.wait(500)
  t.same(b.heard, [0, 1, 2, 3])
})
