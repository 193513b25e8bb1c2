/**
 * Loads a client's blocklist from a URL. WebTorrent reads it without a size limit, and a bad line would be an unhandled
 * rejection. Called by client.ts.
 */
import type { EventEmitter } from 'node:events'
import { fetchBounded, networkReason } from '../system/fetch.ts'

/** Long lists have some ten megabytes. */
const MAX_BLOCKLIST_BYTES = 64 << 20
const BLOCKLIST_MS = 60_000
const MAX_RANGES = 1_000_000
/** Longest range after the description, at the end of a line. */
const MAX_RANGE_LENGTH = 48
/** After this many lines, other code runs. */
const BATCH = 1_000
const ADDRESS = String.raw`(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})`
const RANGE = new RegExp(String.raw`(?:^|:\s*)${ADDRESS}(?:/(\d{1,2})|\s*-\s*${ADDRESS})?$`)

/** The set of `load-ip-set`, which a client queries for addresses. */
interface IpSet { add (start: number, end: number): void }

/** A client with an empty list; `blocked` exists when the client emits 'ready'. */
export interface BlockingClient extends EventEmitter {
  ready: boolean
  readonly destroyed: boolean
  readonly userAgent: string
  readonly blocked: IpSet
}

/** Whether `blocklist` must be downloaded. */
export function isBlocklistUrl (blocklist: unknown): blocklist is string {
  return typeof blocklist === 'string' && /^https?:\/\//.test(blocklist)
}

/** Makes the client ready when the list is loaded; like WebTorrent, never without it. */
export function awaitBlocklist (client: BlockingClient, url: string): void {
  const emit = client.emit.bind(client)
  client.emit = (event, ...args: unknown[]) => {
    if (event !== 'ready') return emit(event, ...args)
    client.emit = emit
    client.ready = false
    load(url, client.userAgent, client.blocked).then(() => {
      if (client.destroyed) return
      client.ready = true
      client.emit('ready')
    }, (err: unknown) => { console.error(`Failed to load blocklist: ${networkReason(err)}`) })
    return true
  }
}

/** Adds the ranges at the URL. Rejects like `fetchBounded`, and for a response that is not a list. */
async function load (url: string, userAgent: string, set: IpSet): Promise<void> {
  const { status, bytes } = await fetchBounded(url, {
    maxBytes: MAX_BLOCKLIST_BYTES, timeoutMs: BLOCKLIST_MS, headers: { 'user-agent': userAgent }
  })
  if (status !== 200) throw new Error(`HTTP ${status}`)
  let [ranges, lines] = [0, 0]
  for (let at = 0; at < bytes.length && ranges < MAX_RANGES;) {
    const end = bytes.indexOf(0x0a, at)
    const line = bytes.subarray(at, end === -1 ? bytes.length : end)
    at = end === -1 ? bytes.length : end + 1
    const range = rangeIn(line)
    if (range !== null) {
      set.add(...range)
      ranges++
    }
    if (++lines % BATCH === 0) await new Promise(resolve => { setImmediate(resolve) })
  }
}

/**
 * Parses `a.b.c.d`, `a.b.c.d-e.f.g.h` or `a.b.c.d/n`, with or without a description before it; null for anything else.
 */
function rangeIn (line: Uint8Array): [start: number, end: number] | null {
  if (line[0] === 0x23) return null
  const tail = Buffer.from(line.subarray(-MAX_RANGE_LENGTH)).toString('latin1').trim()
  // a number in the middle of a long description is not an address
  const text = line.length > MAX_RANGE_LENGTH ? `x${tail}` : tail
  const [, first, prefix, last = first] = RANGE.exec(text) ?? []
  const [start, end] = [numberOf(first), numberOf(last)]
  if (prefix === undefined) return end < start || Number.isNaN(start + end) ? null : [start, end]
  const size = 2 ** (32 - Number(prefix))
  return size < 1 || Number.isNaN(start) ? null : [start - (start % size), start - (start % size) + size - 1]
}

/** The number of an IPv4 address; NaN if it is invalid. */
function numberOf (address: string | undefined): number {
  const parts = (address ?? '').split('.').map(Number)
  return parts.length === 4 && parts.every(part => part < 256) ? parts.reduce((sum, part) => sum * 256 + part) : NaN
}
