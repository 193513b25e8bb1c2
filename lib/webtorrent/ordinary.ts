/**
 * Checks ordinary torrents (BEP 3) before WebTorrent processes them: if the lengths do not match the piece hashes, it
 * would allocate memory, or loop, as much as the file says. Valid torrents are read by parse-torrent, as in WebTorrent.
 */
import bencode from 'bencode'
import parseTorrent from 'parse-torrent'
import type { ParsedTorrent } from './internals.ts'

/** Each piece costs some hundred bytes, and a place in several lists. */
const MAX_PIECES = 1 << 20
/** A piece is in memory while it is downloaded; the largest in use have 64 MiB. */
const MAX_PIECE_LENGTH = 1 << 29
/** SHA-1 */
const HASH_BYTES = 20

/** Reads a torrent file. Rejects with an Error that says what is wrong with it. */
export async function readOrdinary (bytes: Uint8Array): Promise<ParsedTorrent> {
  const torrent = bencode.decode(bytes)
  // otherwise parse-torrent reports the error
  if (isDict(torrent)) checkTorrent(torrent)
  return await parseTorrent(bytes) as ParsedTorrent
}

/**
 * What is wrong with a torrent that was parsed elsewhere; null if nothing is, or if its metadata has not arrived yet.
 */
export function parsedProblem ({ pieces, files, pieceLength }: ParsedTorrent): Error | null {
  if (pieces === undefined) return null
  try {
    if (!Array.isArray(pieces) || !Array.isArray(files)) throw new Error('it has no pieces, or no files')
    checkSizes(files.map(file => (file as { length?: unknown } | null)?.length), pieceLength, pieces.length)
    return null
  } catch (err) {
    return err as Error
  }
}

type Dict = Record<string, unknown>

function checkTorrent ({ info }: Dict): void {
  if (!isDict(info)) throw missing('info')
  const { pieces, files, length } = info
  if (pieces === undefined && info['file tree'] !== undefined) {
    throw new Error('it is for BitTorrent v2 only (BEP 52), which is not supported. Ask for a hybrid one.')
  }
  checkName(info['name.utf-8'] ?? info['name'], 'info.name')
  if (!(pieces instanceof Uint8Array)) throw missing('info.pieces')
  if (pieces.length % HASH_BYTES !== 0) throw new Error('its piece hashes are damaged')
  const count = pieces.length / HASH_BYTES
  if (files === undefined) return checkSizes([length], info['piece length'], count)
  if (!Array.isArray(files) || !files.every(isDict)) throw new Error('its list of files is damaged')
  for (const file of files) checkPath(file['path.utf-8'] ?? file['path'])
  checkSizes(files.map(file => file['length']), info['piece length'], count)
}

/** The message of parse-torrent. */
function missing (field: string): Error { return new Error(`Torrent is missing required field: ${field}`) }

function isDict (value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

function checkName (name: unknown, field: string): void {
  if (!(name instanceof Uint8Array) || name.length === 0) throw missing(field)
  if (name.includes(0)) throw new Error('a name in it contains a NUL character')
}

function checkPath (path: unknown): void {
  if (!Array.isArray(path)) throw missing('info.files[0].path')
  for (const component of path) checkName(component, 'info.files[0].path')
}

function checkSizes (lengths: unknown[], pieceLength: unknown, pieces: number): void {
  if (lengths.length === 0) throw new Error('it has no files')
  if (!isCount(pieceLength) || pieceLength === 0 || pieceLength > MAX_PIECE_LENGTH) {
    throw new Error('its piece length is not valid')
  }
  if (pieces > MAX_PIECES) throw new Error(`it has ${pieces} pieces, more than ${MAX_PIECES}`)
  let total = 0
  for (const length of lengths) {
    if (!isCount(length)) throw new Error('one of its lengths is not valid')
    total += length
  }
  // exact, because both are far below 2^53 if they are equal
  if (Math.ceil(total / pieceLength) !== pieces) {
    throw new Error(`its length (${total}) does not fit its ${pieces} piece hashes`)
  }
}

function isCount (value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
