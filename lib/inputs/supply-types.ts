/** The torrents of a task's inputs, as their supply uses them (lib/webtorrent/input-torrents.ts). */
import type { TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'
import type { FileRange } from './slices.ts'

/** The torrent of an input, with checked metadata. */
export interface InputTorrent {
  readonly layout: InputLayout
  /** absolute path of the file or folder */
  readonly root: string
  /** number of bytes stored */
  have (): number
  /** number of torrent pieces that are not stored */
  missing (): number
  /** True if the torrent piece is stored and verified. */
  has (piece: number): boolean
  /** Downloads these torrent pieces, and no others, from now on; the first ones first. */
  want (pieces: Iterable<number> | 'all'): void
  /** Reads stored bytes of a file. */
  read (range: FileRange): Promise<Uint8Array>
  /**
   * True if a file, or all of them, are unchanged since they were hashed; their author may write to them at any time.
   */
  isIntact (file: number | 'all'): boolean
  /** The data on disk has changed: checks everything again. */
  recheck (): void
}

/** Callbacks of a torrent. */
export interface InputTorrentEvents {
  /** commands will read its files; default: it is only passed on */
  isForCommands?: boolean
  opened (torrent: InputTorrent): void
  /** more of it is stored, or less */
  changed (): void
  failed (err: Error): void
}

/** Opens the torrents of inputs. */
export interface InputTorrents {
  /** Events are emitted later, never during the call. */
  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void }
}
