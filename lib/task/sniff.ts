/**
 * Distinguishes task files from ordinary torrents before anything else reads the bytes. A broken task file must be
 * recognised, too, so that its reader can say what is wrong. This is therefore not the strict decoder but a scanner
 * that only knows where values end. It builds nothing, never recurses, only moves forward, and reads at most 4 MiB.
 * Called by lib/webtorrent/client.ts for everything that is added.
 */
import type { Task } from './types.ts'

const MAX_SCAN = 4 * 1024 * 1024

const COLON = 0x3a
const D = 0x64
const E = 0x65
const I = 0x69
const L = 0x6c

/** The keys that matter here, and where their values start. */
const KEYS = new Set(['info', 'command', 'bitworker', 'pieces', 'file tree'])
const LONGEST_KEY = 9
const LONGEST_INTEGER = 24

/**
 * Whether these bytes are meant to be a task file: a bencoded dictionary whose `info` has `bitworker`, or which has a
 * top-level `command` (legacy), and which is not an ordinary torrent (BEP 3 `pieces`, BEP 52 `file tree`). The task
 * file may still be invalid: `parseTask` checks that. Never throws; takes linear time for any bytes.
 */
export function isTask (bytes: Uint8Array): boolean {
  if (!(bytes instanceof Uint8Array)) return false
  const scanned = bytes.subarray(0, MAX_SCAN)
  const root = scanDict(scanned, 0)
  const infoAt = root.values.get('info')
  if (infoAt === undefined) return false
  const info = scanDict(scanned, infoAt)
  if (info.values.has('pieces') || info.values.has('file tree')) return false
  // `command` alone is weak evidence, so the whole info dictionary must have been seen: `pieces` might be in the rest.
  return info.values.has('bitworker') || (info.complete && root.values.has('command'))
}

interface Scan { values: Map<string, number>, complete: boolean }

/** Finds the KEYS of the dictionary at `start`, as far as its bytes are well-formed. */
function scanDict (bytes: Uint8Array, start: number): Scan {
  const values = new Map<string, number>()
  if (bytes[start] !== D) return { values, complete: false }
  let pos = start + 1
  while (pos < bytes.length) {
    if (bytes[pos] === E) return { values, complete: true }
    const keyEnd = skipString(bytes, pos)
    if (keyEnd === -1) break
    const key = shortKey(bytes, pos, keyEnd)
    if (KEYS.has(key)) values.set(key, keyEnd)
    pos = skipValue(bytes, keyEnd)
    if (pos === -1) break
  }
  return { values, complete: false }
}

/** The key that begins (with its length) at `start`; '' if it is too long to be one of KEYS. */
function shortKey (bytes: Uint8Array, start: number, end: number): string {
  if (end - start > LONGEST_KEY + 2) return ''
  return String.fromCharCode(...bytes.subarray(bytes.indexOf(COLON, start) + 1, end))
}

/** Returns the end of the value at `pos`, or -1. */
function skipValue (bytes: Uint8Array, pos: number): number {
  let depth = 0
  do {
    const first = bytes[pos]
    if (first === D || first === L) {
      depth++
      pos++
    } else if (first === E && depth > 0) {
      depth--
      pos++
    } else {
      pos = first === I ? skipInteger(bytes, pos) : skipString(bytes, pos)
    }
  } while (depth > 0 && pos !== -1)
  return pos
}

function skipInteger (bytes: Uint8Array, pos: number): number {
  for (let end = pos + 1; end < pos + LONGEST_INTEGER && end < bytes.length; end++) {
    if (bytes[end] === E) return end + 1
  }
  return -1
}

function skipString (bytes: Uint8Array, pos: number): number {
  let length = 0
  for (let digits = 0; digits < 10; digits++) {
    const byte = bytes[pos + digits]
    if (byte === COLON && digits > 0) {
      const end = pos + digits + 1 + length
      return end <= bytes.length ? end : -1
    }
    if (byte === undefined || byte < 0x30 || byte > 0x39) return -1
    length = length * 10 + byte - 0x30
  }
  return -1
}

/** True for objects that `parseTask` and `createTask` return. */
export function isTaskObject (value: unknown): value is Task {
  return (
    typeof value === 'object' &&
    value !== null &&
    'infoHash' in value &&
    'command' in value &&
    'info' in value &&
    value.info instanceof Uint8Array
  )
}
