// The states of pieces on their way to the page: four bits each.
import test from 'tape'
import { PIECES_VERSION_HEADER, PIECE_STATES, packStates, unpackStates } from '../../lib/page/piece-states.ts'
import type { PiecesDelta } from '../../lib/page/snapshot.ts'

test('states of any number of pieces are packed and unpacked', t => {
  t.ok(PIECE_STATES.length <= 16, 'each fits in four bits')
  for (const count of [0, 1, 2, 3, 16, 1001]) {
    const codes = Uint8Array.from({ length: count }, (_, i) => i % PIECE_STATES.length)
    const packed = packStates(codes)
    t.equal(packed.length, Math.ceil(count / 2), `${count} pieces in ${packed.length} bytes`)
    t.deepEqual(unpackStates(packed, count), codes)
  }
  t.deepEqual([...packStates(Uint8Array.of(1, 2, 3))], [0x21, 0x03], 'an even index is in the lower half')
  t.deepEqual([...unpackStates(Uint8Array.of(0x21), 4)], [1, 2, 0, 0], 'what is cut off is 0')
  t.end()
})

test('changes of states are runs of one state', t => {
  const delta: PiecesDelta = { version: 7, runs: [[2, 3, PIECE_STATES.indexOf('running')]] }
  t.deepEqual(JSON.parse(JSON.stringify(delta)), { version: 7, runs: [[2, 3, 4]] })
  t.equal(PIECES_VERSION_HEADER, PIECES_VERSION_HEADER.toLowerCase(), 'as Node has the names of headers')
  t.end()
})
