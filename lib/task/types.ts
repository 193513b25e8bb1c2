/**
 * What a task is, once read and checked. Data only: made by lib/task/task.ts, read by everything else.
 */
import { BitWorkerError } from '../base/errors.ts'
import type { Blame, ErrorCode } from '../base/errors.ts'

/** One file of a task. */
export interface TaskFile {
  /**
   * components joined by '/', the first being the task's name if there are several files, as in WebTorrent; a single
   * file: the name
   */
  path: string
  /** the last component of `path` */
  name: string
  /** bytes, an upper bound until all parts are known: parts × piece length */
  length: number
  /** bytes from the start of the task's pieces laid end to end at full length: firstPiece × piece length */
  offset: number
  /** pieces it consists of, at least 1 */
  parts: number
  /** index of the piece that is its part 0 */
  firstPiece: number
}

/** What a machine must have to compute a task: at least one of these. */
export interface TaskNeeds {
  /** programs that `command -v` finds where the commands run: 1 to 64 */
  tools?: readonly string[]
  /** run by bash where the commands run, each must exit with 0: 1 to 16, of at most 4096 bytes */
  commands?: readonly string[]
  /** processors, 1 … 4096 */
  cpus?: number
  /** one of these processors, by the names of `uname -m`: 1 to 16 */
  arch?: readonly string[]
}

/**
 * A valid signature of a task: that somebody vouches for it. Who that is, and whether it is enough, only its reader
 * knows.
 */
export interface TaskSignature {
  /** Ed25519, 64 lower-case hex digits */
  publicKey: string
  /** 64 bytes, over the task digest and `remark` */
  signature: Uint8Array
  /** what was signed along, as received: a bencoded dictionary of time and label */
  remark: Uint8Array
  /** when it was made, if the signer is to be believed */
  time: Date
  /** what the signer calls himself */
  label?: string
}

/** How the pieces of a task share an input: which slice of it each piece sees. */
export type InputSplit =
  /** a folder that has as many files as the task has pieces: file i, in the torrent's order */
  | { by: 'files' }
  /** a single file: `size` bytes, the last slice may be shorter */
  | { by: 'bytes', size: number }
  /** a list: a table says where the slices stand. In a torrent of the files `data` and `slices` it is the latter */
  | {
    by: 'table'
    /** piece count + 1 offsets, u64, big-endian; of an embedded input only */
    offsets?: Uint8Array
    /** entries in a slice, but for the last; with 1 a command finds ENTRY and the columns as variables */
    chunk: number
    /** names of the values that are separated by tabs in an entry; empty: an entry is one value, as it is */
    columns: readonly string[]
  }
  /** the output of a task with as many pieces: piece i */
  | { by: 'pieces' }

interface InputBase {
  /** what the commands find it as, in their working directory: one path component */
  name: string
  /** bytes, all files together; of a task's output an upper bound */
  length: number
  /** absent: each piece sees all of it */
  split?: InputSplit
}

/** An input whose bytes are in the info dictionary. */
export interface EmbeddedInput extends InputBase {
  data: Uint8Array
  infoHash?: undefined
  task?: undefined
}

/** An input that is an ordinary torrent. */
export interface TorrentInput extends InputBase {
  /** 40 lower-case hex digits */
  infoHash: string
  /** 32 bytes: SHA-256 of the torrent's info dictionary as received */
  sha256: Uint8Array
  /** how many files its folder has; absent: it is a single file (BEP 3 `length`) */
  files?: number
  data?: undefined
  task?: undefined
}

/** An input that is the output of another task. */
export interface OutputInput extends InputBase {
  /** `digest`: 32 bytes, its task digest; `infoHash`: 40 lower-case hex digits */
  task: { digest: Uint8Array, infoHash: string }
  data?: undefined
  infoHash?: undefined
}

/** What the commands of a task read besides their variables: named in the info dictionary, and covered by its hash. */
export type TaskInput = EmbeddedInput | TorrentInput | OutputInput

/** A task file or a task's metadata, read and checked. */
export interface Task {
  /** 40 lower-case hex digits: SHA-1 of `info` as received (BEP 3) */
  infoHash: string
  /** the info dictionary's bytes, as received */
  info: Uint8Array
  /** 32 bytes: SHA-256 over everything that determines the output, see `taskDigest` */
  digest: Uint8Array
  name: string
  /** bytes, the most a piece may have */
  pieceLength: number
  pieceCount: number
  /** bytes, an upper bound: pieces × piece length */
  length: number
  /** in the order of their pieces */
  files: TaskFile[]
  /** what the names of the files were made of, one for each piece, such as `frame-%04d.png`; absent: they are listed */
  outputPattern?: string
  /** run by /bin/bash -c, once per piece; empty in a task of a later version, which may say it in another way */
  command: string
  /**
   * what it needs that this version does not know, in words, such as `the key "inputs"`; absent: nothing. Such a task
   * is not computed here, and no files are made of its parts; it can be downloaded and passed on.
   */
  unsupported?: readonly string[]
  /** run once per file, when all its parts are there; absent: the file is the parts, one after another */
  completeCommand?: string
  /** in the order of the info dictionary; at most one has `split`; absent: none */
  inputs?: readonly TaskInput[]
  /** what a machine must have to compute it; absent: nothing in particular */
  needs?: TaskNeeds
  /** what one work item asks for, milliseconds; absent: it does not say */
  timeoutMs?: number
  /** what the complete command of one file asks for, milliseconds; absent: it does not say */
  completeTimeoutMs?: number
  /** memory that each command asks for, bytes; absent: it does not say */
  memoryBytes?: number
  /** room in its folder that each command asks for, bytes; absent: it does not say */
  scratchBytes?: number
  /** trackers (BEP 3, BEP 12), without duplicates: http(s), udp and ws(s) only */
  announce: string[]
  comment?: string
  createdBy?: string
  created?: Date
  /** BEP 27: peers from trackers only */
  private?: boolean
  /** all valid, each by another key; at most 8 */
  signatures: readonly TaskSignature[]
  /** of the 2014 prototype's format (option `legacySwarm`): the commands stand outside the info dictionary */
  legacy: boolean
  /** the info-hash of the 2014 task file that this task was made of, with the same commands */
  convertedFrom?: string
}

/** What `createTask` takes. Either `parts` (one file, called `name`) or `files` (in a folder called `name`). */
export interface CreateTaskOptions {
  name: string
  /** run by /bin/bash -c, once per piece; at most 64 KiB */
  command: string
  /** number of pieces of the single file */
  parts?: number
  /** several files, or one within a folder; `path` is separated by '/' */
  files?: ReadonlyArray<{ path: string, parts: number }>
  /**
   * with `parts`: each is a file of its own, in a folder called `name`, named by this: one `%d` or `%0Nd` in it is the
   * index of the piece, such as `frame-%04d.png`; at most 10 000
   */
  outputPattern?: string
  /** bytes, the most a piece may have: 1 … 2^30; default 1 MiB */
  pieceLength?: number
  /** run once per file, when all its parts are there; default: the parts are concatenated */
  completeCommand?: string
  /**
   * what the commands read, at most 16: bytes (all together at most 256 KiB; `length` may be left out), torrents and
   * outputs of tasks; default: nothing
   */
  inputs?: ReadonlyArray<TaskInput | Omit<EmbeddedInput, 'length'>>
  /** what a machine must have to compute it; default: nothing in particular */
  needs?: TaskNeeds
  /** limit for one work item: whole seconds in milliseconds, 1 s … a year; default: what the volunteer gives */
  timeoutMs?: number
  /** limit for the complete command of one file; as `timeoutMs` */
  completeTimeoutMs?: number
  /** memory that each command needs: 1 MiB … 1 TiB, in bytes; default: what the volunteer gives */
  memoryBytes?: number
  /** room that each command needs in its folder; as `memoryBytes` */
  scratchBytes?: number
  /** trackers: http(s), udp and ws(s) URLs, at most 128; default: none */
  announce?: readonly string[]
  comment?: string
  createdBy?: string
  /** written in whole seconds; default: not written, so that equal options give equal bytes */
  created?: Date
  /** BEP 27; default false */
  private?: boolean
}

/** How `parseTask` reads. */
export interface ParseTaskOptions {
  /**
   * Leave task files of the 2014 prototype as they are, to meet peers of their old swarm, whose info-hash does not
   * cover the command. Default false: the command is moved into the info dictionary, which makes it another swarm.
   */
  legacySwarm?: boolean
}

/**
 * A rule that a task breaks, which only its author can mend. Who reads the task is told to ask for that; the author,
 * who is about to make it, is not: see `createTask`.
 */
export class TaskFlaw extends BitWorkerError {
  /** what is wrong, without advice and without a full stop */
  readonly what: string

  constructor (code: `BW_ERR_TASK_${string}` & ErrorCode, what: string) {
    super(code, 'input', `${what}. Ask its author to correct it.`)
    this.what = what
  }
}

/** Every other error about a task file, its metadata, or createTask's options. */
export function taskError (
  code: `BW_ERR_TASK_${string}` & ErrorCode, message: string, blame: Blame = 'input', cause?: unknown
): BitWorkerError {
  return new BitWorkerError(code, blame, message, cause === undefined ? undefined : { cause })
}
