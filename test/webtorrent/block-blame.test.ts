// Who is to blame for a torrent piece that fails its hash: whoever sent all of it; of several nobody, but then one at a
// time.
import test from 'tape'
import { BlockBlame, failedPiece } from '../../lib/webtorrent/block-blame.ts'
import type { Wire } from '../../lib/webtorrent/types.ts'

class Piece {
  readonly length: number
  readonly missing = 0
  constructor (length: number) { this.length = length }
}

interface Peer { peerId: string, remoteAddress: string, destroyed: boolean, peerChoking: boolean }

function peer (peerId: string): Peer { return { peerId, remoteAddress: '10.0.0.1', destroyed: false, peerChoking: false } }

test('blame', t => {
  const events: string[] = []
  const torrent = { pieces: [new Piece(100), new Piece(100)], _reservations: [[], []] }
  let now = 0
  const blame = new BlockBlame(torrent, {
    misbehaved: (wire, _, isFinal) => { events.push(`${wire.peerId} ${isFinal ? 'ban' : 'strike'}`) }
  }, undefined, () => now)
  const ask = (from: Peer, index = 0): boolean => blame.request(from as unknown as Wire, index, true, () => true)
  const fail = (index = 0): void => {
    torrent.pieces[index] = new Piece(100)
    blame.failed(index)
  }
  const [a, b, c] = [peer('a'), peer('b'), peer('c')]
  t.ok(ask(a) && ask(b))
  fail()
  t.deepEqual(events, [], 'of two, who knows')
  t.ok(ask(a) && ask(a))
  t.notOk(ask(b), 'one at a time now')
  t.ok(ask(b, 1), 'another piece comes from whom it likes')
  fail()
  t.deepEqual(events.splice(0), ['a strike'])
  t.ok(ask(a))
  a.peerChoking = true
  const begun = torrent.pieces[0]
  t.ok(ask(b), 'it sends no more')
  t.notEqual(torrent.pieces[0], begun, 'what it has sent is not mixed with what comes now')
  t.notOk(ask(c))
  now += 31_000
  t.ok(ask(c), 'nor has it time for ever')
  a.peerChoking = false
  t.notOk(ask(a))
  c.destroyed = true
  t.ok(ask(a))
  fail()
  t.deepEqual(events.splice(0), ['a ban'])
  t.ok(ask(b))
  torrent.pieces[0] = null as never
  blame.verified(0)
  torrent.pieces[0] = new Piece(100)
  t.ok(ask(b) && ask(c), 'once it was right, it may come from several again')
  t.deepEqual([new Error('Piece 12 failed verification'), new Error('other')].map(failedPiece), [12, undefined])
  t.end()
})
