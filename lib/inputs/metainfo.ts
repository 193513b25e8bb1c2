/**
 * Reads the content of an input torrent from its info dictionary (BEP 3), which comes from strangers: strictly and
 * within bounds, compared with the task, and without WebTorrent's handling of paths. Pure. Called by the code that
 * downloads inputs, and by the code that makes a task of an existing torrent.
 */
import { decodeDict, textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import { equalBytes, hexOf, sha1Hex, sha256 } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { MAX_INPUT_FILES, tableBytes } from '../task/inputs.ts'
import { pathsProblem, quote } from '../task/names.ts'
import type { TorrentInput } from '../task/types.ts'
import { linksProblem } from './links.ts'
import type { InputLink } from './links.ts'

/** The size that WebTorrent accepts from peers (BEP 9). */
const MAX_METAINFO_BYTES = 10 * 1024 * 1024
/** Room for this many files with their keys; a few bytes must not take up much memory. */
const MAX_METAINFO_TOKENS = 1_000_000
/** The same as for ordinary torrents, see lib/webtorrent/ordinary.ts. */
const MAX_TORRENT_PIECES = 2 ** 20
/** a piece is in memory while it is downloaded and checked, one from each peer or more */
const MAX_TORRENT_PIECE_LENGTH = 32 * 1024 * 1024
const MAX_LENGTH = 2 ** 50
const HASH_BYTES = 20

/** A file of an input torrent. */
export interface InputFile {
  /** components joined by '/', relative to the input's folder; '' for an input that is a single file */
  path: string
  /** bytes */
  length: number
  /** position of its bytes in the torrent */
  offset: number
  /** BEP 47 `x` */
  executable: boolean
}

/** The layout of an input torrent. */
export interface InputLayout {
  /** bytes per torrent piece */
  pieceLength: number
  /** bytes, all files including the padding between them */
  torrentLength: number
  /** bytes, all files */
  length: number
  /** BEP 3 `files`, even if there is only one */
  isFolder: boolean
  /** in the torrent's order, without padding and links (BEP 47) */
  files: InputFile[]
  /** in the torrent's order; only a folder has any */
  links: InputLink[]
}

/**
 * Reads the info dictionary of the torrent that a task with `pieceCount` pieces names. Throws BW_ERR_INPUT if it is
 * another torrent, malformed or unsafe, or does not match the task.
 */
export function readMetainfo (info: Uint8Array, input: TorrentInput, pieceCount: number): InputLayout {
  const isSmall = info.length <= MAX_METAINFO_BYTES
  if (isSmall && (sha1Hex(info) !== input.infoHash || !equalBytes(sha256(info), input.sha256))) {
    throw inputError(`The metadata of the input ${quote(input.name)} does not match the task`)
  }
  const layout = readLayout(info, input.name)
  const { length, files } = input
  const found = layout.isFolder ? layout.files.length : undefined
  if (layout.length !== length) {
    throw inputError(`The input ${quote(input.name)} has ${layout.length} bytes, but the task says ${length}`)
  }
  if (found !== files) {
    throw inputError(`The input ${quote(input.name)} is ${countOf(found)}, but the task says ${countOf(files)}`)
  }
  if (input.split?.by === 'table') checkList(layout, input.name, pieceCount)
  return layout
}

/** A torrent file (BEP 3) that contains only the info dictionary. */
export function torrentFileOf (info: Uint8Array): Uint8Array {
  const [before, after] = [new TextEncoder().encode('d4:info'), new TextEncoder().encode('e')]
  return Buffer.concat([before, info, after])
}

/** The SHA-1 of each torrent piece (BEP 3), in hex, of an info dictionary that `readLayout` has accepted. */
export function pieceHashes (info: Uint8Array): string[] {
  const pieces = decode(info, inputError).get('pieces') as Uint8Array
  const count = pieces.length / HASH_BYTES
  return Array.from({ length: count }, (_, i) => hexOf(pieces.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)))
}

function checkList ({ files: [data, slices] }: InputLayout, name: string, pieceCount: number): void {
  if (data?.path === 'data' && slices?.path === 'slices' && slices.length === tableBytes(pieceCount)) return
  throw inputError(`The input ${quote(name)} is not a list of ${pieceCount} slices, in the files \`data\` and \`slices\``)
}

/**
 * Reads the info dictionary of any torrent. Throws BW_ERR_INPUT if it is malformed or unsafe.
 *
 * @param name the name to use in errors
 */
export function readLayout (info: Uint8Array, name: string): InputLayout {
  const problem = (why: string): BitWorkerError => inputError(`The torrent of the input ${quote(name)} ${why}`)
  const dict = decode(info, problem)
  const pieceLength = dict.get('piece length')
  if (!isWithin(pieceLength, 1, MAX_TORRENT_PIECE_LENGTH)) throw problem('has no piece length from 1 byte to 32 MiB')
  const files = readFiles(dict, problem)
  if (files.length > MAX_INPUT_FILES) throw problem(`has more than ${MAX_INPUT_FILES} files`)
  const torrentLength = files.reduce((sum, { length }) => sum + length, 0)
  if (torrentLength > MAX_LENGTH) throw problem('has more than 2^50 bytes')
  const pieces = dict.get('pieces')
  const count = Math.ceil(torrentLength / pieceLength)
  if (!(pieces instanceof Uint8Array) || pieces.length !== count * HASH_BYTES || count > MAX_TORRENT_PIECES) {
    throw problem('does not have one hash for each of its pieces')
  }
  return layOut(files, { pieceLength, torrentLength, isFolder: dict.has('files') }, problem)
}

interface Entry {
  path: string[]
  length: number
  executable: boolean
  padding: boolean
  /** where a symbolic link leads; null: it is none */
  target: string | null
}
type Problem = (why: string) => BitWorkerError

function decode (info: Uint8Array, problem: Problem): Bdict {
  try {
    return decodeDict(info, { maxBytes: MAX_METAINFO_BYTES, maxTokens: MAX_METAINFO_TOKENS }).dict
  } catch (error) {
    throw problem(`cannot be read: ${(error as Error).message}`)
  }
}

function readFiles (dict: Bdict, problem: Problem): Entry[] {
  const files = dict.get('files')
  if (files === undefined) return [readEntry(dict, [], problem)]
  if (!Array.isArray(files) || files.length === 0 || dict.has('length')) throw problem('has a malformed list of files')
  return files.map(file => {
    const path = file instanceof Map ? file.get('path') : undefined
    if (!(file instanceof Map) || !Array.isArray(path) || path.length === 0) throw problem('has a file without a path')
    return readEntry(file, path.map(component => textOf(component) ?? ''), problem)
  })
}

function readEntry (entry: Bdict, path: string[], problem: Problem): Entry {
  const length = entry.get('length')
  if (!isWithin(length, 0, MAX_LENGTH)) throw problem('has a file without a valid length')
  const attributes = entry.has('attr') ? textOf(entry.get('attr')) : ''
  if (attributes === undefined) throw problem('has a file whose attributes are no text (BEP 47)')
  const padding = attributes.includes('p')
  const target = targetOf(entry, attributes.includes('l'))
  if (target === undefined || (target !== null && (length > 0 || padding || path.length === 0))) {
    throw problem('has a malformed symbolic link (BEP 47)')
  }
  return { path, length, executable: attributes.includes('x'), padding, target }
}

/** Where a symbolic link leads; null: it is none; undefined: it is malformed. */
function targetOf (entry: Bdict, isLink: boolean): string | null | undefined {
  const target = entry.get('symlink path')
  if (!isLink) return target === undefined ? null : undefined
  if (!Array.isArray(target)) return undefined
  const components = target.map(component => textOf(component))
  const isText = components.every(component => component !== undefined && !component.includes('/'))
  return isText ? components.join('/') : undefined
}

function layOut (
  entries: Entry[], torrent: Pick<InputLayout, 'pieceLength' | 'torrentLength' | 'isFolder'>, problem: Problem
): InputLayout {
  const files: InputFile[] = []
  const links: InputLink[] = []
  const paths: string[][] = []
  let offset = 0
  let length = 0
  for (const entry of entries) {
    const path = entry.path.join('/')
    if (entry.target !== null) {
      links.push({ path, target: entry.target })
    } else if (!entry.padding) {
      files.push({ path, length: entry.length, offset, executable: entry.executable })
      length += entry.length
    }
    if (!entry.padding) paths.push(entry.path)
    offset += entry.length
  }
  // a single file is named by the input
  const wrong = torrent.isFolder ? pathsProblem(paths) : null
  if (wrong !== null) throw problem(`has a file whose name ${wrong}`)
  const astray = linksProblem(links, files.map(file => file.path))
  if (astray !== null) throw problem(`has a symbolic link: ${astray}`)
  if (length === 0) throw problem('is empty')
  return { ...torrent, length, files, links }
}

function isWithin (value: Bvalue | undefined, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

function countOf (files: number | undefined): string {
  return files === undefined ? 'a single file' : `a folder of ${files} file${files === 1 ? '' : 's'}`
}

function inputError (what: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'input', `${what}, so it is not used.`)
}
