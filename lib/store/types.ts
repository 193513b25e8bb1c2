/** What a store is to others: WebTorrent's chunk store, and what a session needs of one. */
import type { Result } from '../results/result.ts'

/** A file that is finished. */
export interface FinishedFile {
  /** absolute */
  path: string
  /** bytes */
  length: number
}

/** How a file is finished. */
export interface FinishOptions {
  /** run the task's complete command; without it, a task that has one is not finished */
  run: boolean
  signal?: AbortSignal
}

/** A piece that was computed. */
export interface Generated extends Result {
  /** what the command took, in milliseconds */
  ms: number
  /** the last lines it wrote to stderr, control characters stripped */
  stderr: string
}

/** A piece being computed. */
export interface Generation {
  /** its index */
  readonly piece: number
  /** Resolves when the command has ended, at the latest with `done`: storing may be left. Never rejects. */
  readonly ended: Promise<void>
  /**
   * Resolves when it is stored; rejects as RunningItem does, or with BW_ERR_BIND, BW_ERR_DISK_FULL,
   * BW_ERR_OUTPUT_FOLDER.
   */
  readonly done: Promise<Generated>
  /** kills the command; `done` rejects with BW_ERR_COMMAND_KILLED unless the piece is stored already */
  kill (): void
  pause (): void
  resume (): void
}

/**
 * A piece being written, in any order and in as many writes as its bytes come in. All reject with BW_ERR_STORE_CLOSED,
 * and with BW_ERR_DISK_FULL, BW_ERR_SYMLINK or BW_ERR_OUTPUT_FOLDER where the file system refuses.
 */
export interface PieceDraft {
  /** Writes bytes from `at` on. */
  write (at: number, bytes: Uint8Array): Promise<void>
  /** Hashes bytes that were written. */
  hashInto (digest: { update (bytes: Uint8Array): unknown }, at: number, length: number): Promise<void>
  /**
   * Stores the piece: its digest was checked, and all writes have ended. Resolves with what is stored: if another
   * result came first, that one.
   */
  commit (result: Result): Promise<Result>
  /** Gives up what was written; nothing after `commit`. */
  discard (): void
}

/** A file or folder that a command finds in its working directory, to be read only. */
export interface GivenFile {
  /** absolute */
  path: string
  /** from the working directory, components joined by '/' */
  name: string
}

/** What a command is given of the task's inputs. */
export interface Given {
  files: readonly GivenFile[]
  /** more variables */
  env?: Record<string, string>
  /** absolute path of what it reads; default: nothing */
  stdin?: string
  /**
   * Asked when the command has ended: false if what it was given has changed meanwhile, so that its result is none.
   * Default: true. Never throws.
   */
  isIntact? (): boolean
  /** The command has ended. Never throws. */
  giveBack? (): void
}

/** The inputs of a task, for those who run its commands. Both reject with BW_ERR_INPUT for what is not here. */
export interface Inputs {
  /** For the work item of a piece. */
  forPiece (piece: number): Promise<Given>
  /** For a complete command: what all pieces see. */
  forFile (): Promise<Given>
}

/** Called with bytes of a stored piece, or with why there are none. */
export type GetCallback = (err: Error | null, bytes?: Buffer) => void
/** Called when it is done. */
export type DoneCallback = (err?: Error | null) => void
/** A part of a piece, in bytes; default all of it. */
export interface GetOptions { offset?: number, length?: number }

/** abstract-chunk-store, as WebTorrent uses it. */
export interface ChunkStore {
  /** bytes, the most a chunk may have */
  readonly chunkLength: number
  /**
   * Stores a chunk, in place of the one there was. Errors: BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED, those of the file
   * system.
   */
  put (index: number, bytes: Uint8Array, cb?: DoneCallback): void
  /** Reads a chunk or a part of it. Errors: BW_ERR_PIECE_MISSING, _RANGE, _LOST, BW_ERR_STORE_CLOSED. */
  get (index: number, cb?: GetCallback): void
  get (index: number, opts: GetOptions | null | undefined, cb?: GetCallback): void
  /** Waits for what is under way, and lets go of what it holds; the second call does no more. */
  close (cb?: DoneCallback): void
  /** Closes, and removes all of it. */
  destroy (cb?: DoneCallback): void
}

/**
 * What a session needs of a store: a task's pieces, and the files that they make. test/store/compliance.test.ts says
 * what holds.
 */
export interface PieceStore {
  /**
   * Resolves with what is stored, by index. To be called before anything else. Rejects when the store cannot be used.
   */
  open (): Promise<Iterable<[index: number, result: Result]>>
  /** Calls `listener` with each piece that turns out to be gone or damaged: it is missing from then on. */
  onLost (listener: (index: number) => void): void
  /**
   * Reads bytes of a stored piece, never computes one. Errors: BW_ERR_PIECE_MISSING, _RANGE, _LOST,
   * BW_ERR_STORE_CLOSED.
   */
  get (index: number, opts: Required<GetOptions>, cb: (err: Error | null, bytes?: Uint8Array) => void): void
  /** As `get`. */
  read (index: number, offset: number, length: number): Promise<Uint8Array>
  /** Begins to store a piece of `size` bytes. Throws BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED. */
  receive (index: number, size: number): PieceDraft
  /** Compares a stored piece with its digest; false, after `onLost`, if it does not match or is not there. */
  verify (index: number): Promise<boolean>
  /**
   * As `verify`, for all that was stored before the store was opened, little by little. Resolves at the end, or when it
   * is closed.
   */
  verifyRest (): Promise<void>
  /** Starts computing a piece, at once. Throws BW_ERR_STORE_CLOSED. */
  generate (index: number): Generation
  /**
   * Finishes a file; null if its complete command may not run. Rejects with BW_ERR_PART_MISSING, BW_ERR_PART_CORRUPT
   * (after `onLost`), BW_ERR_TASK_PIECE, and on a disk as store/finish-file.ts says.
   */
  finishFile (file: number, opts: FinishOptions): Promise<FinishedFile | null>
}
