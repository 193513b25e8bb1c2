/** The inputs of a task, as their supply uses them (lib/webtorrent/input-torrents.ts). */
import type { CheckInputs } from './input-check.ts'
import type { OutputInput, TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'
import type { FileRange } from './slices.ts'

/** The data of an input, in units: torrent pieces, or the slices of another task's output. */
export interface InputContent {
  /** another one once what was here is not sure any more */
  readonly version: number
  /** bytes that are here */
  have (): number
  /** number of units that are not stored */
  missing (): number
  /** True if the unit is stored and verified. */
  has (unit: number): boolean
  /** Downloads or computes these units, and no others, from now on; the first ones first. */
  want (units: Iterable<number> | 'all'): void
  /** A file, or all of them, are for commands what they were when they were verified. */
  isIntact (file: number | 'all'): Promise<boolean>
  /** The data on disk has changed: checks everything again. */
  recheck (): void
}

/** The torrent of an input, with checked metadata. */
export interface InputTorrent extends InputContent {
  readonly layout: InputLayout
  /** absolute: the file or folder, as commands may see it; null: they are given copies of what they need */
  readonly root: string | null
  /** True if a peer that does not have everything has the torrent piece. */
  isElsewhere (piece: number): boolean
  /** True if a connected peer has the torrent piece. */
  isOffered (piece: number): boolean
  /** Reads stored bytes of a file. */
  read (range: FileRange): Promise<Uint8Array>
}

/** A file that commands see: its path, and its name below that of the input, '' for the whole input. */
export interface StageFile { path: string, name: string }

/** One result of a piece. */
export interface StagePiece {
  size: number
  /** Rejects with BW_ERR_PIECE_… once this result is no longer stored, even if another one is. */
  read: (offset: number, length: number) => Promise<Uint8Array>
}

/** The output of another task. A unit is the slice of one piece, or a file if each piece sees all of it. */
export interface InputStage extends InputContent {
  /** All files were what they were when they were verified, perhaps not long ago. */
  wasIntact (): Promise<boolean>
  /** the largest number of bytes in the slice of a piece */
  sliceBytes (piece: number): number
  /** All files, which are stored; one folder if it has nothing else in it. Rejects if commands cannot read them. */
  files (): Promise<StageFile[]>
  /** The file of a piece, which is stored. */
  file (piece: number): StageFile
  /** The piece that a piece sees, which is stored. */
  piece (index: number): StagePiece
}

/** Callbacks of an input. */
export interface InputEvents<Content extends InputContent> {
  /** commands are to be given all of its files: `root` is there. Default: it is only passed on, or given in slices */
  isForCommands?: boolean
  opened (content: Content): void
  /** more of it is stored, or less */
  changed (): void
  /** it is not downloaded, because the disk is too full, and what is here stays; null: it is again */
  short? (err: Error | null): void
  /** it cannot be had for now; `opened` comes again */
  lost (err: Error): void
  /** it is not what the task says, and never will be */
  failed (err: Error): void
}

export type InputTorrentEvents = InputEvents<InputTorrent>
export type InputStageEvents = InputEvents<InputStage>

/** Opens inputs. Events are emitted later, never during the call. */
export interface InputTorrents {
  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void }
  /** Adds the task to the same client, which computes it only if told to. */
  openStage (input: OutputInput, pieceCount: number, events: InputStageEvents): { close (): void }
}

/** Limits of what is downloaded and computed. */
export interface SupplyLimits {
  /** number of work items at a time */
  readonly slots: number
  /** pieces with larger slices of a split input are not computed; default: no limit */
  readonly maxSliceBytes: number | undefined
  /** called once, before the first command that reads inputs; none runs until it resolves. Default: nothing to check */
  readonly check?: CheckInputs
}
