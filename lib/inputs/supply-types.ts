/** The torrents of a task's inputs, as their supply uses them (lib/webtorrent/input-torrents.ts). */
import type { TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'
import type { FileRange } from './slices.ts'

/** The torrent of an input, with checked metadata. */
export interface InputTorrent {
  readonly layout: InputLayout
  /** absolute: the file or folder, as commands may see it; null: they are given copies of what they need */
  readonly root: string | null
  /** another one once what was here is not sure any more */
  readonly version: number
  /** bytes that are here */
  have (): number
  /** number of torrent pieces that are not stored */
  missing (): number
  /** True if the torrent piece is stored and verified. */
  has (piece: number): boolean
  /** Downloads these torrent pieces, and no others, from now on; the first ones first. */
  want (pieces: Iterable<number> | 'all'): void
  /** Reads stored bytes of a file. */
  read (range: FileRange): Promise<Uint8Array>
  /** A file, or all of them, are for commands what they were when they were verified. */
  isIntact (file: number | 'all'): boolean
  /** The data on disk has changed: checks everything again. */
  recheck (): void
}

/** Callbacks of a torrent. */
export interface InputTorrentEvents {
  /** commands are to be given all of its files: `root` is there. Default: it is only passed on, or given in slices */
  isForCommands?: boolean
  opened (torrent: InputTorrent): void
  /** more of it is stored, or less */
  changed (): void
  /** it cannot be had for now; `opened` comes again */
  lost (err: Error): void
  /** it is not what the task says, and never will be */
  failed (err: Error): void
}

/** Opens the torrents of inputs. */
export interface InputTorrents {
  /** Events are emitted later, never during the call. */
  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void }
}
