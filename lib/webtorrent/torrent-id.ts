/**
 * Loads the argument of `client.add` if its form requires that, with WebTorrent's own error messages, since
 * applications that switched from it may show them.
 */
import { readFile } from 'node:fs/promises'
import { fetchBounded } from '../system/fetch.ts'

/** WebTorrent's user agent and timeout for torrent files. */
const FETCH_OPTIONS = { headers: { 'user-agent': 'WebTorrent (https://webtorrent.io)' } }
const FETCH_TIMEOUT_MS = 30_000
/** No torrent file is larger; an endless body must not fill the memory. */
export const MAX_TORRENT_FILE_BYTES = 64 << 20

/** The first byte of every torrent file and task file: 'd'. */
const DICTIONARY = 0x64

const MAGNET = /^(stream-)?magnet:/
const INFO_HASH = /^([a-f0-9]{40}|[a-z2-7]{32})$/i

/** A torrent id whose bytes must be loaded: a path, a URL or a Blob. */
export type RemoteId = string | Blob

/**
 * The parameters of a magnet link that are allowed (BEP 9, BEP 46, BEP 53, magnet-uri), and those for signers of the
 * task (lib/trust/).
 */
const MAGNET_PARAMETERS = new Set([
  'xt', 'dn', 'xl', 'tr', 'ws', 'as', 'xs', 'kt', 'mt', 'ix', 'so', 'x.pe', 'x.pk', 'x.sig'
])

/** The bytes of any view. */
export function bytesOf (view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** True for a path, a URL or a Blob; false for a magnet link, an info-hash and everything else. */
export function isRemoteId (torrentId: unknown): torrentId is RemoteId {
  if (torrentId instanceof Blob) return true
  return typeof torrentId === 'string' && !MAGNET.test(torrentId) && !INFO_HASH.test(torrentId)
}

/** Loads the bytes. Rejects with WebTorrent's error messages. */
export async function loadTorrentId (torrentId: RemoteId): Promise<Uint8Array> {
  if (typeof torrentId === 'string' && !isUrl(torrentId)) {
    // WebTorrent's message for a file that cannot be read, for any reason
    return readFile(torrentId).catch((err: unknown) => {
      throw new Error('Invalid torrent identifier', { cause: err })
    })
  }
  try {
    return torrentId instanceof Blob ? new Uint8Array(await torrentId.arrayBuffer()) : await download(torrentId)
  } catch (err) {
    const what = torrentId instanceof Blob ? 'converting Blob' : 'downloading torrent'
    throw new Error(`Error ${what}: ${(err as Error).message}`, { cause: err })
  }
}

function isUrl (torrentId: string): boolean {
  return /^https?:/.test(torrentId)
}

async function download (url: string): Promise<Uint8Array> {
  const options = { ...FETCH_OPTIONS, timeoutMs: FETCH_TIMEOUT_MS, maxBytes: MAX_TORRENT_FILE_BYTES }
  const { status, statusText, bytes } = await fetchBounded(url, options)
  // like WebTorrent, accepts a torrent file with any status; but an error page is not a torrent file
  if (status >= 300 && bytes[0] !== DICTIONARY) throw new Error(`HTTP ${status} ${statusText}`.trimEnd())
  return bytes
}

/**
 * Removes everything from the torrent id that it must not set: WebTorrent copies every parameter of a magnet link, and
 * every property of a parsed one, to the torrent, so that a link could start computing or replace methods.
 */
export function harmlessId (torrentId: unknown): unknown {
  if (typeof torrentId === 'string') return harmlessMagnet(torrentId)
  if (typeof torrentId !== 'object' || torrentId === null || !isPlain(torrentId)) return torrentId
  return Object.fromEntries(Object.entries(torrentId).filter(([key]) => !key.startsWith('_') && key !== 'task'))
}

function isPlain (object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null
}

function harmlessMagnet (torrentId: string): string {
  // splits like magnet-uri
  const [scheme = '', query] = torrentId.split('magnet:?')
  if (query === undefined) return torrentId
  const parameters = query.split('&').filter(parameter => MAGNET_PARAMETERS.has(parameter.split('=', 1)[0]!))
  return `${scheme}magnet:?${parameters.map(parameter => (parameter.startsWith('x.pe=') ? decodePeer(parameter) : parameter)).join('&')}`
}

/** Others write `%5B%3A%3A1%5D%3A6881`, which is valid, but magnet-uri does not decode it. */
function decodePeer (parameter: string): string {
  return parameter.replace(/%(?:5[BD]|3A)/gi, decodeURIComponent)
}
