import { createHash } from 'node:crypto'
import test from 'tape'
import { PackedResults } from '../../lib/results/packed-results.ts'
import type { Result } from '../../lib/results/result.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import type { PeerResults } from '../../lib/results/result-table.ts'

const result = (text: string): Result => ({ size: text.length, digest: createHash('sha256').update(text).digest() })
const a = result('a')
const b = result('bb')

test('a peer holds a piece when bit and result are there', t => {
  const table = new ResultTable(4)
  const peer = table.addPeer()
  peer.setHave(1)
  t.notOk(peer.holds(1), 'bit only')
  t.equal(peer.unexplained, 1)
  t.equal(peer.announce(1, a), 'new')
  t.ok(peer.holds(1))
  t.equal(peer.unexplained, 0)
  t.equal(peer.announce(2, b), 'new')
  t.notOk(peer.holds(2), 'result only')
  peer.setHave(2)
  t.ok(peer.holds(2))
  t.equal(peer.held, 2)
  t.same([table.holders(0), table.holders(1), table.holders(2)], [0, 1, 1])
  t.end()
})

test('a result is final', t => {
  const peer = new ResultTable(1).addPeer()
  peer.announce(0, a)
  t.equal(peer.announce(0, { size: a.size, digest: Uint8Array.from(a.digest) }), 'same')
  t.equal(peer.announce(0, b), 'changed')
  t.equal(peer.announce(0, { ...a, size: 2 }), 'changed', 'the size is part of it')
  t.equal(peer.result(0)?.size, a.size)
  peer.forget(0)
  t.equal(peer.announce(0, b), 'new', 'unless the piece was withdrawn')
  t.end()
})

test('two results of one piece are kept apart', t => {
  const table = new ResultTable(1)
  const [first, second, third] = [table.addPeer(), table.addPeer(), table.addPeer()]
  for (const [peer, announced] of [[first, a], [second, b], [third, result('a')]] as const) {
    peer.announce(0, announced)
    peer.setHave(0)
  }
  t.equal(table.holders(0), 3)
  t.same([first, second, third].map(peer => peer.result(0)?.size), [a.size, b.size, a.size])
  t.same([first, second, third].map(peer => peer.holdsResult(0, a)), [true, false, true])
  first.forget(0)
  t.ok(third.holdsResult(0, a), 'kept while one peer says it')
  t.end()
})

test('when a peer leaves, the pieces that nobody else holds are named', t => {
  const table = new ResultTable(3)
  const [leaving, staying] = [table.addPeer(), table.addPeer()]
  for (const index of [0, 1]) {
    leaving.announce(index, a)
    leaving.setHave(index)
  }
  leaving.setHave(2)
  staying.announce(1, a)
  staying.setHave(1)
  t.same(leaving.clear(), [0])
  t.same([0, 1, 2].map(index => table.holders(index)), [0, 1, 0])
  t.equal(leaving.unexplained, 0)
  t.end()
})

test('a flood of different results is bounded', t => {
  const table = new ResultTable(1)
  const outcomes = Array.from({ length: 200 }, (_, i) => table.addPeer().announce(0, result(String(i))))
  t.equal(outcomes.filter(outcome => outcome === 'new').length, 127)
  t.equal(outcomes.filter(outcome => outcome === 'ignored').length, 73)
  t.end()
})

test('peers that left do not use the room for results up', t => {
  const table = new ResultTable(1)
  for (let i = 0; i < 200; i++) {
    const liar = table.addPeer()
    liar.announce(0, result(String(i)))
    liar.clear()
  }
  const [first, second, third] = [table.addPeer(), table.addPeer(), table.addPeer()]
  first.announce(0, a)
  t.equal(second.announce(0, b), 'new')
  first.forget(0)
  t.equal(second.result(0)?.size, b.size, 'and the others stay what they were')
  t.equal(third.announce(0, a), 'new')
  t.same([third.result(0)?.size, second.result(0)?.size], [a.size, b.size])
  t.end()
})

test('our own result is a variant like any other', t => {
  const table = new ResultTable(2)
  const peer = table.addPeer()
  table.setOwn(1, a)
  t.same([table.has(0), table.has(1), table.ownSize(1), table.own(1)?.size], [false, true, a.size, a.size])
  t.equal(peer.announce(1, b), 'new')
  table.setOwn(1, a)
  t.ok(Buffer.from(a.digest).equals(table.own(1)!.digest), 'said twice is said once')
  table.setOwn(1, undefined)
  t.same([table.has(1), table.own(1), peer.result(1)?.size], [false, undefined, b.size])
  table.setOwn(1, b)
  peer.clear()
  t.equal(table.own(1)?.size, b.size, 'a peer that leaves takes nothing of ours along')
  t.end()
})

test('a flood of results leaves room for our own', t => {
  const table = new ResultTable(1)
  for (let i = 0; i < 200; i++) table.addPeer().announce(0, result(String(i)))
  table.setOwn(0, a)
  t.equal(table.own(0)?.size, a.size)
  t.equal(table.addPeer().announce(0, a), 'ignored')
  t.end()
})

test('packed results are a map', t => {
  const packed = new PackedResults(4)
  t.same([packed.size, packed.has(0), packed.get(0), packed.sizeOf(9)], [0, false, undefined, undefined])
  packed.set(3, b)
  packed.set(1, { ...a, size: 2 ** 40 })
  packed.set(1, { ...a, size: 0 })
  t.same([packed.size, [...packed.keys()], packed.sizeOf(1)], [2, [1, 3], 0])
  t.same([packed.matches(3, b), packed.matches(3, a), packed.matches(2, a)], [true, false, false])
  t.ok(Buffer.from(b.digest).equals(packed.get(3)!.digest))
  packed.get(3)!.digest.fill(0)
  t.ok(packed.matches(3, b), 'what is handed out is a copy')
  packed.delete(3)
  packed.delete(3)
  t.same([packed.size, Array.from(packed, ([index, { size }]) => [index, size])], [1, [[1, 0]]])
  t.end()
})

test('the results of peers are limited, and the peer with the most makes room', t => {
  const pieces = 100_000
  const table = new ResultTable(pieces)
  const dropped: number[][] = []
  const digest = new Uint8Array(32)
  const say = (peer: PeerResults, who: number, count: number): number => {
    let taken = 0
    for (let index = 0; index < count; index++) {
      digest[0] = who
      if (peer.announce(index, { size: index, digest }) === 'new') taken++
      peer.setHave(index)
    }
    return taken
  }
  const liars = Array.from({ length: 13 }, (_, who) => {
    const peer = table.addPeer(indices => { dropped.push([who, indices.length]) })
    say(peer, who, pieces)
    return peer
  })
  const further = (): number => liars.reduce((sum, peer) => sum + peer.further, 0)
  t.ok(further() <= pieces, `${further()} beyond the first of each piece`)
  t.ok(liars.every(peer => peer.further <= pieces))
  const honest = table.addPeer()
  t.equal(say(honest, 99, 5_000), 5_000, 'a peer that says less than they do is heard')
  t.equal(honest.held, 5_000)
  t.equal(honest.result(4_999)?.size, 4_999)
  t.ok(dropped.length > 0 && dropped.length < 50, `${dropped.length} times one of the others made room`)
  t.ok(further() + honest.further <= pieces)
  table.setOwn(7, a)
  t.equal(table.own(7)?.size, a.size, 'our own have room whatever others say')
  for (const peer of [...liars, honest]) peer.clear()
  t.equal(table.addPeer().announce(7, b), 'new', 'and what is gone makes room')
  t.end()
})
