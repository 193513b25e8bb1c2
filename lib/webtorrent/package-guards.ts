/**
 * Closes weaknesses of inherited packages that a remote peer could use to stop this process, before any socket opens:
 * both copies of `bencode` (WebTorrent's and the DHT's) here, wires and what finds peers in the guards of their own
 * folders. docs/SECURITY.md, "Inherited", says what each one is.
 *
 * Importing this file installs them; a copy that cannot be found is an error at start-up, not a hole.
 */
import bencode from 'bencode'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import { guardWebSeeds } from '../connections/web-seed-guards.ts'
import { guardWires } from '../connections/wire-guards.ts'
import { guardDht } from '../discovery/dht-guards.ts'
import { guardLan } from '../discovery/lan-guards.ts'
import { guardTrackers } from '../discovery/tracker-guards.ts'

/** Nested deeper than any message of BEP 3, 5, 9, 10 and 11. */
const MAX_DEPTH = 64
/** Values in one message or file: two bytes of input can become 50 of memory. A torrent of 100 000 files has fewer. */
const MAX_VALUES = 1_000_000

/** The decoder of `bencode` 2 and 4: one object with the state of the decoding that is under way. */
interface Decode {
  position: number
  data: Uint8Array | null
  next: () => unknown
  buffer: () => unknown
}

/** A string's length is digits, and reading it moves forward; nesting ends somewhere. */
function guardDecode (decode: Decode): void {
  const { buffer, next } = decode
  if (typeof buffer !== 'function' || typeof next !== 'function') {
    throw new Error('bencode has changed: its decoder cannot be guarded.')
  }
  let depth = 0
  let values = 0
  decode.buffer = () => {
    const { position, data } = decode
    const first = data?.[position] ?? 0
    if (first < 0x30 || first > 0x39) throw new Error(`bencode: no string at ${position}`)
    const value = buffer()
    if (decode.position <= position || decode.position > data!.length) {
      throw new Error(`bencode: bad string length at ${position}`)
    }
    return value
  }
  decode.next = () => {
    // `position` is 0 only at the start of a decoding: an earlier one may have ended by an exception
    if (decode.position === 0) depth = values = 0
    if (++values > MAX_VALUES) throw new Error('bencode: too many values')
    if (++depth > MAX_DEPTH) throw new Error('bencode: nested too deeply')
    const value = next()
    depth--
    return value
  }
}

for (const { decode } of [bencode, dhtBencode] as unknown as Array<{ decode: Decode }>) guardDecode(decode)
guardDht(dhtBencode)
guardTrackers()
guardLan()
guardWebSeeds()
guardWires()
