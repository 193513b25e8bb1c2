/**
 * Fixes weaknesses of inherited packages that a remote peer could use to stop this process, before any socket is
 * opened: both copies of `bencode` (WebTorrent's and the DHT's) here; wires and the sources of peers by the guards in
 * their own folders. docs/SECURITY.md, "Inherited", explains each one.
 *
 * Importing this file installs the guards. If a copy is not found, that is an error at start-up, not a hole.
 */
import bencode from 'bencode'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import { guardWebSeeds } from '../connections/web-seed-guards.ts'
import { guardWires } from '../connections/wire-guards.ts'
import { guardDht } from '../discovery/dht-guards.ts'
import { guardLan } from '../discovery/lan-guards.ts'
import { guardTrackers } from '../discovery/tracker-guards.ts'

/** More nesting than in any message of BEP 3, 5, 9, 10 and 11. */
const MAX_DEPTH = 64
/** Values in one message or file: two bytes of input can become 50 in memory. A torrent of 100 000 files has fewer. */
const MAX_VALUES = 1_000_000

/** The decoder of `bencode` 2 and 4: one object with the state of the current decoding. */
interface Decode {
  position: number
  data: Uint8Array | null
  next: () => unknown
  buffer: () => unknown
}

/** Strings must have a length in digits, so that reading moves forward, and nesting is limited. */
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
    // `position` is 0 only at the start; an earlier decoding may have ended with an exception
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
