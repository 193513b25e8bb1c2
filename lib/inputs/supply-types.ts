/**
 * What supplying a task's inputs needs of the torrents they come from (lib/webtorrent/input-torrents.ts).
 */
import type { TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'
import type { FileRange } from './slices.ts'

/** The torrent of an input, whose metadata was checked. */
export interface InputTorrent {
  readonly layout: InputLayout
  /** absolute: the file, or the folder of files */
  readonly root: string
  /** bytes that are here */
  have (): number
  /** torrent pieces that are not here */
  missing (): number
  /** The torrent piece is here, and was verified. */
  has (piece: number): boolean
  /** These, and no others, are fetched from now on, the first ones first. */
  want (pieces: Iterable<number> | 'all'): void
  /** Bytes of a file that are here. */
  read (range: FileRange): Promise<Uint8Array>
  /** A file, or all of them, are what they were when they were hashed; their author may write to them at any time. */
  isIntact (file: number | 'all'): boolean
  /** Something on the disk is not what it was: looks at all of it again. */
  recheck (): void
}

/** What happens to a torrent. */
export interface InputTorrentEvents {
  /** commands are to be given its files; default: it is only passed on */
  isForCommands?: boolean
  opened (torrent: InputTorrent): void
  /** what it has is more, or less */
  changed (): void
  failed (err: Error): void
}

/** Where torrents of inputs come from. */
export interface InputTorrents {
  /** Events come later, never at once. */
  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void }
}
