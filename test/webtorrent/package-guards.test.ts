// Weaknesses of inherited packages, closed: malformed input of each kind must end in an error, not in a hang or a
// crash.
import { once } from 'node:events'
import bencode from 'bencode'
import Wire from 'bittorrent-protocol'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import test from 'tape'
import utMetadata from 'ut_metadata'
import { guardMetadata } from '../../lib/connections/extension-guards.ts'
import '../../lib/webtorrent/package-guards.ts'

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1')

/** The copy of the DHT takes its messages and nothing else, so the value is a part of one. */
function decodeInMessage (bytes: Uint8Array): unknown {
  const message = Buffer.concat([text(`d1:rd2:id20:${'a'.repeat(20)}1:v`), bytes, text('e1:t2:aa1:y1:re')])
  return (dhtBencode.decode(message) as { r: { v: unknown } }).r.v
}

for (const [name, decode] of Object.entries({
  bencode: (bytes: Uint8Array) => bencode.decode(bytes), 'the copy of the DHT': decodeInMessage
})) {
  test(`${name}: what is well-formed is decoded as ever`, t => {
    const value = { a: 1, b: [2, { c: 3 }], d: {} }
    t.same(decode(bencode.encode(value)), value)
    for (let i = 0; i < 3; i++) t.same(decode(text('le')), [], 'also time and again')
    t.end()
  })

  test(`${name}: what is not is refused`, t => {
    for (const [what, bytes] of [
      ['a negative string length', 'd-3:'],
      ['a negative string length in a list', 'l-1:e'],
      ['no string length', ':'],
      ['a length beyond the end', '9:ab'],
      ['an open list', 'l'],
      ['deep nesting', 'l'.repeat(100_000)],
      ['deep, closed', `${'l'.repeat(70)}${'e'.repeat(70)}`]
    ] as const) {
      t.throws(() => decode(text(bytes)), /bencode|Missing|Invalid|not a number|longer/i, what)
    }
    t.same(
      (decode(text('l3:abce')) as Uint8Array[]).map(each => Buffer.from(each).toString()),
      ['abc'],
      'and a later one is read'
    )
    t.end()
  })
}

test('a message longer than any legitimate one closes the connection', async t => {
  for (const length of [2 ** 20 + 1, 2 ** 31, 2 ** 32 - 1]) {
    const wire = new Wire('tcpIncoming')
    const closed = once(wire, 'close')
    wire.on('error', () => {})
    wire.write(Buffer.concat([text('\x13BitTorrent protocol'), Buffer.alloc(48)]))
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(length)
    wire.write(prefix)
    wire.resume()
    await closed
    t.pass(`${length} bytes announced`)
  }
})

test('metadata with a piece number that does not exist closes the connection', t => {
  const wire = new Wire('tcpIncoming')
  t.teardown(() => { wire.destroy() })
  let isDestroyed = false
  wire.use(utMetadata())
  wire.destroy = () => { isDestroyed = true }
  const extension = wire.ut_metadata as typeof wire.ut_metadata & { _fetching: boolean, metadata: Uint8Array }
  extension._fetching = true
  extension.metadata = new Uint8Array(10)
  guardMetadata(wire, '00'.repeat(20))
  extension.onMessage!(text('d8:msg_typei1e5:piecei5e10:total_sizei10eexxxx'))
  t.ok(isDestroyed)
  t.end()
})
