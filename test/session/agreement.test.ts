import test from 'tape'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import type { PeerResults } from '../../lib/results/result-table.ts'
import type { Result } from '../../lib/results/result.ts'
import { Agreement } from '../../lib/session/agreement.ts'

const result = (first: number): Result => ({ size: 1, digest: new Uint8Array(32).fill(first) })
const OWN = result(5)
const LOWER = result(3)
const LOWEST = result(1)

/** A table with an own result of piece 0, and what makes and removes peers that hold others. */
function setUp () {
  const table = new ResultTable(1)
  const peers = new Set<{ results: PeerResults }>()
  table.setOwn(0, OWN)
  return {
    table,
    agreement: new Agreement(peers as unknown as Set<TaskPeer>),
    add: (theirs: Result) => {
      const peer = { results: table.addPeer() }
      peer.results.announce(0, theirs)
      peer.results.setHave(0)
      peers.add(peer)
      return peer as unknown as TaskPeer
    },
    remove: (peer: TaskPeer) => {
      peer.results.clear()
      peers.delete(peer)
    }
  }
}

test('the lowest result that a connected peer holds is chosen, and downloaded from its holders', t => {
  const { table, agreement, add } = setUp()
  const [higher, lowest] = [add(LOWER), add(LOWEST)]
  t.deepEqual(agreement.choose(table), [0])
  t.deepEqual([agreement.accepts(higher, 0), agreement.accepts(lowest, 0)], [false, true])
  table.setOwn(0, LOWEST)
  agreement.stored(0, LOWEST)
  t.deepEqual(agreement.choose(table), [], 'agreed')
  t.end()
})

test('a chosen result that is not delivered is not chosen again', t => {
  const { table, agreement, add } = setUp()
  add(LOWEST)
  t.deepEqual(agreement.choose(table), [0])
  // it was computed again here meanwhile
  agreement.stored(0, OWN)
  t.deepEqual(agreement.choose(table), [], 'an own result is dropped at most once in vain')
  t.end()
})

test('nor is one whose holders come and go', t => {
  const { table, agreement, add, remove } = setUp()
  const [lower, lowest] = [add(LOWER), add(LOWEST)]
  agreement.choose(table)
  remove(lowest)
  t.ok(agreement.accepts(lower, 0), 'any other is as good')
  agreement.stored(0, LOWER)
  add(LOWEST)
  t.deepEqual(agreement.choose(table), [])
  t.end()
})
