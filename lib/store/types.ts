/** The interfaces of a store: WebTorrent's chunk store, and the methods that a session needs. */
import type { RunCost } from '../base/errors.ts'
import type { Result } from '../results/result.ts'

/** A key that attests results, and what is known of whose it is: a label, a trusted key whose member it is. */
export interface KnownKey { key: string, label?: string, trustedKey?: string }

/** A file that is finished. */
export interface FinishedFile {
  /** absolute */
  path: string
  /** bytes */
  length: number
}

/** Options of `finishFile`. */
export interface FinishOptions {
  /** run the task's complete command; without this, the files of a task that has one are not finished */
  run: boolean
  signal?: AbortSignal
}

/** What becomes of a computed piece if another result is stored by the time its command ends. */
export interface GenerateOptions {
  /**
   * Called if that result differs; again if yet another one is stored by the time of the answer. True: the new one
   * replaces it, after `onLost`; false: the new one is discarded. With this option, results that are not discarded are
   * recorded (`PieceStore.computed`). Default: discarded.
   */
  replaces?: (own: OwnResult, stored: Result) => boolean | Promise<boolean>
}

/** A piece that was computed: the result that is stored now, and what the command cost. */
export interface Generated extends Result, Partial<RunCost> {
  /** what the command gave, if it was discarded in favour of another result */
  discarded?: Result
  /** duration of the command, milliseconds */
  ms: number
  /** the last lines that it wrote to stderr, without control characters */
  stderr: string
}

/** A piece that is being computed. */
export interface Generation {
  /** its index */
  readonly piece: number
  /** Resolves when the command has ended, no later than `done`: storing may remain. Never rejects. */
  readonly ended: Promise<void>
  /**
   * Resolves when the piece is stored. Rejects with the errors of RunningItem, or with BW_ERR_BIND, BW_ERR_DISK_FULL,
   * BW_ERR_OUTPUT_FOLDER.
   */
  readonly done: Promise<Generated>
  /** kills the command; `done` rejects with BW_ERR_COMMAND_KILLED unless the piece is already stored */
  kill (): void
  pause (): void
  resume (): void
}

/**
 * A piece that is being written, in any order and any number of writes. All methods reject with BW_ERR_STORE_CLOSED,
 * and with BW_ERR_DISK_FULL, BW_ERR_SYMLINK or BW_ERR_OUTPUT_FOLDER for errors of the file system.
 */
export interface PieceDraft {
  /** Writes bytes at position `at`. */
  write (at: number, bytes: Uint8Array): Promise<void>
  /** Hashes bytes that were written. */
  hashInto (digest: { update (bytes: Uint8Array): unknown }, at: number, length: number): Promise<void>
  /**
   * Stores the piece, after its digest was checked and all writes have ended. Resolves with the stored result: if
   * another result came first, that one.
   */
  commit (result: Result): Promise<Result>
  /** Discards what was written; no effect after `commit`. */
  discard (): void
}

/** What a verify or compare command says. */
export type Judgement =
  | { verdict: 'right', ms: number }
  | { verdict: 'wrong' }
  /** it cannot tell, or did not run to its end: nothing follows for who made the result */
  | { verdict: 'unknown', why: Error }

/** A verify or compare command that runs. */
export interface Judging {
  /** Rejects with BW_ERR_COMMAND_KILLED after `kill`, with nothing else. */
  readonly done: Promise<Judgement>
  kill (): void
  pause (): void
  resume (): void
}

/** A result that is not stored (yet), of which the bytes can be read. */
export interface UnstoredResult { readonly size: number, readonly draft: Pick<PieceDraft, 'hashInto'> }

/** What a command of ours gave, which is not stored (yet). */
export interface OwnResult extends Result {
  readonly draft: UnstoredResult['draft']
  /** duration of the command, milliseconds */
  ms: number
}

/** A file or folder that a command finds in its working directory, read-only. */
export interface GivenFile {
  /** absolute */
  path: string
  /** path relative to the working directory, components joined by '/' */
  name: string
}

/** What a command receives of the task's inputs. */
export interface Given {
  files: readonly GivenFile[]
  /** additional variables */
  env?: Record<string, string>
  /** absolute path of its standard input; default: empty */
  stdin?: string
  /**
   * Called when the command has ended. False if an input has changed in the meantime, so that the result is invalid.
   * Default: true. Never rejects.
   */
  isIntact? (): Promise<boolean>
  /** The command has ended. Never throws. */
  giveBack? (): void
}

/**
 * The inputs of a task, for the code that runs its commands. Both methods reject with BW_ERR_INPUT for an input that is
 * not available.
 */
export interface Inputs {
  /** For the work item of a piece. */
  forPiece (piece: number): Promise<Given>
  /** For a complete command: the inputs that all pieces see. */
  forFile (signal?: AbortSignal): Promise<Given>
}

/**
 * The attestations of a task's pieces, each a record of `BRANCH_BYTES` bytes (extensions/ut_bitworker), kept so
 * that they can be passed on. Who adds them bounds their number.
 */
export interface StatementLog {
  /**
   * Adds records, each of which begins with the index of its piece (u32). After that, they survive the end of this
   * process. Throws errors of the file system.
   */
  add (...records: Uint8Array[]): void
  /** The records about a piece, in the order in which they were added. Damaged ones are missing. Never throws. */
  of (index: number): Uint8Array[]
  /** All records, in that order. */
  all (): Iterable<Uint8Array>
}

/** Called with the bytes of a stored piece, or with an error. */
export type GetCallback = (err: Error | null, bytes?: Buffer) => void
/** Called when the operation has ended. */
export type DoneCallback = (err?: Error | null) => void
/** A region of a piece in bytes; default: the whole piece. */
export interface GetOptions { offset?: number, length?: number }

/** The interface of abstract-chunk-store, as WebTorrent uses it. */
export interface ChunkStore {
  /** the largest size of a chunk in bytes */
  readonly chunkLength: number
  /**
   * Stores a chunk, replacing the stored one. Errors: BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED, those of the file
   * system.
   */
  put (index: number, bytes: Uint8Array, cb?: DoneCallback): void
  /** Reads a chunk or a region of it. Errors: BW_ERR_PIECE_MISSING, _RANGE, _LOST, BW_ERR_STORE_CLOSED. */
  get (index: number, cb?: GetCallback): void
  get (index: number, opts: GetOptions | null | undefined, cb?: GetCallback): void
  /** Waits for running operations, and releases all resources. A second call does nothing more. */
  close (cb?: DoneCallback): void
  /** Closes the store, and removes its content. */
  destroy (cb?: DoneCallback): void
}

/**
 * The part of a store that a session needs: a task's pieces, and the files that are made of them.
 * test/store/compliance.test.ts checks the requirements.
 */
export interface PieceStore {
  /** Resolves with the stored results by index. To be called first. Rejects if the store cannot be used. */
  open (): Promise<Iterable<[index: number, result: Result]>>
  /** Calls `listener` for each piece that is found to be gone or damaged. It is missing from then on. */
  onLost (listener: (index: number) => void): void
  /**
   * Reads bytes of a stored piece, never computes one. Errors: BW_ERR_PIECE_MISSING, _RANGE, _LOST,
   * BW_ERR_STORE_CLOSED.
   */
  get (index: number, opts: Required<GetOptions>, cb: (err: Error | null, bytes?: Uint8Array) => void): void
  /** Like `get`. */
  read (index: number, offset: number, length: number): Promise<Uint8Array>
  /** Starts storing a piece of `size` bytes. Throws BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED. */
  receive (index: number, size: number): PieceDraft
  /** Compares a stored piece with its digest. Returns false, after `onLost`, if it does not match or is gone. */
  verify (index: number): Promise<boolean>
  /**
   * Like `verify`, for everything that was stored before the store was opened, little by little. Resolves at the end,
   * or when the store is closed.
   */
  verifyRest (): Promise<void>
  /** Another result of the piece is wanted: it is missing from now on, after `onLost`. Throws BW_ERR_STORE_CLOSED. */
  drop (index: number): void
  /** Starts computing a piece at once, whether or not it is stored. Throws BW_ERR_STORE_CLOSED. */
  generate (index: number, opts?: GenerateOptions): Generation
  /** The first recorded result that was computed here (see GenerateOptions), in this run or an earlier one. */
  computed (index: number): Result | undefined
  /**
   * Runs the task's verify command on the stored result of a piece, or on `other`. Throws BW_ERR_STORE_CLOSED. Absent:
   * the store runs no such commands.
   */
  verifyBy? (index: number, other?: UnstoredResult): Judging
  /** Runs the task's compare command on the stored result of a piece, and on `other`; 'right': the same. As above. */
  compare? (index: number, other: UnstoredResult): Judging
  /** The stored result of the piece was found right, or was computed here. */
  isVerified? (index: number): boolean
  /** Records that, also for later runs. Throws BW_ERR_STORE_CLOSED. */
  setVerified? (index: number): void
  /**
   * Finishes a file; null if its complete command may not run. Rejects with BW_ERR_PART_MISSING, BW_ERR_PART_CORRUPT
   * (after `onLost`), BW_ERR_TASK_PIECE; for a store on disk, with the errors of store/finish-file.ts.
   */
  finishFile (file: number, opts: FinishOptions): Promise<FinishedFile | null>
}
