// Long messages in small parts, on a wire without sockets.
import { randomBytes } from 'node:crypto'
import Wire from 'bittorrent-protocol'
import fc from 'fast-check'
import test from 'tape'
import { assembleOnce } from '../../lib/connections/wire-buffer.ts'
import { frame, latin1, u32 } from '../helpers/hostile-peer.ts'

interface Inside {
  _write (data: Uint8Array, cb: () => void): void
  on (event: 'unknownmessage', listener: (message: Uint8Array) => void): void
  on (event: 'have', listener: (index: number) => void): void
  destroy (): void
}

assembleOnce(Wire.prototype, 2 ** 20)

const handshake = Buffer.concat([latin1('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04'), Buffer.alloc(40, 1)])

function read (parts: Iterable<Uint8Array>): { messages: Buffer[], haves: number[] } {
  const wire = new Wire('tcpIncoming') as unknown as Inside
  const [messages, haves]: [Buffer[], number[]] = [[], []]
  wire.on('unknownmessage', message => { messages.push(Buffer.from(message)) })
  wire.on('have', index => { haves.push(index) })
  for (const part of parts) wire._write(part, () => {})
  wire.destroy()
  return { messages, haves }
}

test('a message is the same whatever parts it arrives in', t => {
  const anyPayloads = fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 8 })
  const anySizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 50 })
  fc.assert(fc.property(anyPayloads, anySizes, (payloads, sizes) => {
    const stream = Buffer.concat([
      handshake, ...payloads.flatMap((payload, i) => [frame(200, payload), u32(0), frame(4, u32(i))])
    ])
    const parts: Buffer[] = []
    for (let at = 0, i = 0; at < stream.length; i++) parts.push(stream.subarray(at, at += sizes[i % sizes.length]!))
    const { messages, haves } = read(parts)
    const areSame = messages.every((message, i) => message.subarray(1).equals(payloads[i]!))
    return areSame && messages.length === payloads.length && haves.length === payloads.length
  }))
  t.pass('a property of all of them')
  t.end()
})

test('a message of 1 MiB, byte by byte', t => {
  const payload = randomBytes(2 ** 20 - 1)
  const stream = Buffer.concat([handshake, frame(200, payload), frame(4, u32(7))])
  const { messages, haves } = read(
    (function * () {
      for (let i = 0; i < stream.length; i++) yield stream.subarray(i, i + 1)
    })()
  )
  t.ok(messages[0]?.subarray(1).equals(payload))
  t.same(haves, [7])
  t.end()
})
