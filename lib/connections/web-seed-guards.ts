/**
 * Guards web seeds (BEP 19): a server may send only the bytes that were requested, and only while the web seed is in
 * use. Installed by package-guards.ts.
 */
import WebConn from 'webtorrent/lib/webconn.js'
import { inheritedMethod } from '../base/inherited.ts'
import { fetchBounded } from '../system/fetch.ts'

/** Time limit for one request, however many files it spans. The package has the same limit per file. */
const REQUEST_MS = 60_000

interface File { readonly path: string, readonly offset: number, readonly length: number }
type Answered = (err: Error | null, bytes?: Uint8Array) => void

/** The internals of webtorrent/lib/webconn.js. */
export interface InternalWebConn {
  readonly url: string
  /** null once it is destroyed */
  readonly _torrent: { readonly pieceLength: number, readonly files: File[], readonly path: string } | null
  httpRequest (this: InternalWebConn, piece: number, offset: number, length: number, cb: Answered): unknown
  destroy (this: InternalWebConn): void
}

/** Installs the guard. */
export function guardWebSeeds (): void {
  const prototype = WebConn.prototype as unknown as InternalWebConn
  inheritedMethod(prototype, 'httpRequest', 'webtorrent')
  const destroy = inheritedMethod(prototype, 'destroy', 'webtorrent')
  const closing = new WeakMap<InternalWebConn, AbortController>()
  prototype.httpRequest = function (piece, offset, length, cb) {
    if (this._torrent === null) return cb(new Error('the web seed is closed'))
    const start = piece * this._torrent.pieceLength + offset
    const controller = closing.get(this) ?? new AbortController()
    closing.set(this, controller)
    fetchRanges(rangesOf(this.url, this._torrent, start, length), controller.signal).then(
      bytes => {
        cb(null, bytes)
      },
      (err: unknown) => {
        cb(err as Error)
      }
    )
  }
  prototype.destroy = function () {
    destroy.call(this)
    closing.get(this)?.abort(new Error('the web seed is closed'))
  }
}

interface Range { url: string, start: number, length: number }

/** A single file is at the URL itself; several files are in the folder that it names. */
function rangesOf (url: string, { files }: { files: File[] }, start: number, length: number): Range[] {
  if (files.length <= 1) return [{ url, start, length }]
  const end = start + length
  return files.filter(file => file.offset < end && file.offset + file.length > start).map(file => {
    const from = Math.max(start, file.offset)
    const to = Math.min(end, file.offset + file.length)
    return { url: `${url.replace(/\/$/, '')}/${file.path}`, start: from - file.offset, length: to - from }
  })
}

/**
 * One after the other: a block can consist of thousands of tiny files, and the server's owner may not have agreed to
 * this.
 */
async function fetchRanges (ranges: Range[], closing: AbortSignal): Promise<Uint8Array> {
  const signal = AbortSignal.any([AbortSignal.timeout(REQUEST_MS), closing])
  const parts: Uint8Array[] = []
  for (const range of ranges) parts.push(await fetchRange(range, signal))
  return Buffer.concat(parts)
}

async function fetchRange ({ url, start, length }: Range, signal: AbortSignal): Promise<Uint8Array> {
  const headers = { 'cache-control': 'no-store', range: `bytes=${start}-${start + length - 1}` }
  const { status, bytes } = await fetchBounded(url, { maxBytes: length, timeoutMs: REQUEST_MS, headers, signal })
  if (status < 200 || status > 299) throw new Error(`HTTP ${status}`)
  if (bytes.length !== length) throw new Error(`${bytes.length} bytes instead of the ${length} requested`)
  return bytes
}
