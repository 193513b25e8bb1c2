/**
 * Reads the answers of trackers strictly: the results have the types that bittorrent-tracker's client relies on, and a
 * limited size. Pure. Called by tracker-guards.ts.
 */
import bencode from 'bencode'

/** Longest answer over HTTP: 82 peers are usual, some trackers send thousands. */
export const MAX_TRACKER_ANSWER_BYTES = 1 << 20
/** Longest message of a WebSocket tracker: an offer or an answer (SDP) has some kilobytes. */
export const MAX_TRACKER_MESSAGE_BYTES = 1 << 16
/** Peers that one answer may name. */
const MAX_TRACKER_PEERS = 2_000
/** Characters of a text that is displayed, or sent back. */
const MAX_TEXT = 512
const MAX_SDP = 32 * 1024
/**
 * The shortest and longest interval that a tracker may set: it must neither turn its clients into a flood nor silence
 * them.
 */
const MIN_INTERVAL_MS = 60_000
const MAX_INTERVAL_MS = 86_400_000

/** Limits the time between two requests, in milliseconds. */
export function clampInterval (ms: number): number {
  return Math.min(Math.max(ms, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
}

/** Values that all trackers may send besides the peers. */
interface Remarks {
  /** seconds, within bounds; undefined: unchanged */
  interval?: number
  'tracker id'?: string
  complete?: number
  incomplete?: number
}

/** An answer over HTTP (BEP 3, BEP 7, BEP 23). */
export interface HttpAnswer extends Remarks {
  warning?: string
  /** six bytes each */
  peers: Uint8Array
  /** eighteen bytes each */
  peers6: Uint8Array
}

/** A tracker's refusal (BEP 3), and the time of the next request if it sets one (BEP 31). */
export class TrackerFailure extends Error {
  /** within bounds; undefined: not set */
  readonly retryMs: number | undefined

  constructor (reason: string, retryMs?: number) {
    super(reason)
    this.retryMs = retryMs
  }
}

/** Reads an answer over HTTP. Throws TrackerFailure for a refusal, and an Error if it is malformed. */
export function readHttpAnswer (bytes: Uint8Array): HttpAnswer {
  const read = reader(orMalformed(() => bencode.decode(bytes)))
  const failure = text(read('failure reason'))
  if (failure !== undefined) throw new TrackerFailure(failure, retryIn(read('retry in')))
  const warning = text(read('warning message'))
  return {
    ...remarks(read),
    ...(warning !== undefined && { warning }),
    peers: compact(read('peers'), 6),
    peers6: compact(read('peers6'), 18)
  }
}

/** Reads an answer over UDP (BEP 15), without its header of eight bytes. Throws an Error if it is malformed. */
export function readUdpAnswer (bytes: Uint8Array): HttpAnswer {
  if (bytes.length < 12) throw new Error('the response is malformed')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    ...interval(view.getUint32(0), undefined),
    incomplete: view.getUint32(4),
    complete: view.getUint32(8),
    peers: compact(bytes.subarray(12), 6),
    peers6: new Uint8Array()
  }
}

/** A session description (SDP) of a peer. */
interface Description { type: 'offer' | 'answer', sdp: string }

/** A message of a WebSocket tracker; all its strings are binary. */
export interface SocketMessage extends Remarks {
  action: 'announce' | 'scrape'
  info_hash?: string
  peer_id?: string
  offer?: Description
  answer?: Description
  offer_id?: string
  'failure reason'?: string
  'warning message'?: string
}

/** Reads a message of a WebSocket tracker. Throws an Error if it is malformed. */
export function readSocketMessage (bytes: Uint8Array): SocketMessage {
  if (bytes.length > MAX_TRACKER_MESSAGE_BYTES) throw new Error('the message is too long')
  const read = reader(orMalformed(() => JSON.parse(new TextDecoder().decode(bytes)) as unknown))
  const action = read('action')
  if (action !== 'announce' && action !== 'scrape') {
    throw new Error(text(read('failure reason')) ?? 'the response is malformed')
  }
  const [infoHash, peerId, offerId] = ['info_hash', 'peer_id', 'offer_id'].map(name => binary(read(name)))
  const [offer, answer] = [description(read('offer'), 'offer'), description(read('answer'), 'answer')]
  const [failure, warning] = ['failure reason', 'warning message'].map(name => text(read(name)))
  return {
    action,
    ...remarks(read),
    ...(infoHash !== undefined && { info_hash: infoHash }),
    ...(peerId !== undefined && { peer_id: peerId }),
    ...(offer !== undefined && offerId !== undefined && { offer }),
    ...(answer !== undefined && offerId !== undefined && { answer }),
    ...(offerId !== undefined && { offer_id: offerId }),
    ...(failure !== undefined && { 'failure reason': failure }),
    ...(warning !== undefined && { 'warning message': warning })
  }
}

type Read = (name: string) => unknown

function orMalformed<T> (fn: () => T): T {
  try {
    return fn()
  } catch (err) {
    throw new Error('the response is malformed', { cause: err })
  }
}

/** Returns a reader of a dictionary's own keys, which excludes `__proto__`. Throws if the value is not a dictionary. */
function reader (value: unknown): Read {
  if (!isDict(value)) throw new Error('the response is malformed')
  return name => Object.hasOwn(value, name) ? value[name] : undefined
}

function isDict (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

function remarks (read: Read): Remarks {
  const trackerId = text(read('tracker id'))
  const [complete, incomplete] = [count(read('complete')), count(read('incomplete'))]
  return {
    ...interval(read('interval'), read('min interval')),
    ...(trackerId !== undefined && { 'tracker id': trackerId }),
    ...(complete !== undefined && { complete }),
    ...(incomplete !== undefined && { incomplete })
  }
}

/** The longer of the two intervals, in seconds; an invalid value is ignored. */
function interval (usual: unknown, least: unknown): { interval?: number } {
  const seconds = Math.max(count(usual) ?? 0, count(least) ?? 0)
  return seconds === 0 ? {} : { interval: clampInterval(seconds * 1000) / 1000 }
}

/** BEP 31: minutes, or 'never'. */
function retryIn (value: unknown): number | undefined {
  if (text(value) === 'never') return MAX_INTERVAL_MS
  const minutes = count(value) ?? Number(text(value))
  return Number.isFinite(minutes) ? clampInterval(minutes * 60_000) : undefined
}

function count (value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function text (value: unknown): string | undefined {
  const found = value instanceof Uint8Array ? new TextDecoder().decode(value.subarray(0, MAX_TEXT)) : value
  return typeof found === 'string' && found !== '' ? found.slice(0, MAX_TEXT) : undefined
}

/** Twenty bytes as twenty characters. */
function binary (value: unknown): string | undefined {
  return typeof value === 'string' && /^[\0-\xff]{20}$/.test(value) ? value : undefined
}

function description (value: unknown, type: Description['type']): Description | undefined {
  if (!isDict(value) || value['type'] !== type || typeof value['sdp'] !== 'string' || value['sdp'].length > MAX_SDP) {
    return undefined
  }
  return { type, sdp: value['sdp'] }
}

/**
 * Whole addresses of `size` bytes: as received, or converted from a list of dictionaries, of which only those with an
 * IPv4 address are kept.
 */
function compact (value: unknown, size: 6 | 18): Uint8Array {
  if (value instanceof Uint8Array) {
    return value.subarray(0, Math.min(value.length - (value.length % size), MAX_TRACKER_PEERS * size))
  }
  if (!Array.isArray(value) || size === 18) return new Uint8Array()
  return Uint8Array.from(value.slice(0, MAX_TRACKER_PEERS).flatMap(address))
}

function address (peer: unknown): number[] {
  if (!isDict(peer)) return []
  const [host = '', port = 0] = [text(peer['ip']), count(peer['port'])]
  const bytes = host.split('.').map(Number)
  const isGood = /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && bytes.every(byte => byte < 256) && port > 0 && port < 65_536
  return isGood ? [...bytes, port >> 8, port & 255] : []
}
