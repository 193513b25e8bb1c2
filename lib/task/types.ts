/** A task, once it has been read and checked. Data only. Made by lib/task/task.ts, read by everything else. */
import { BitWorkerError } from '../base/errors.ts'
import type { Blame, ErrorCode, Remedy } from '../base/errors.ts'

/** One file of a task. */
export interface TaskFile {
  /**
   * components joined by '/'. With several files, the first component is the task's name, as in WebTorrent. A single
   * file's path is the task's name
   */
  path: string
  /** the last component of `path` */
  name: string
  /** bytes; an upper bound until all parts are known: parts × piece length */
  length: number
  /** offset in bytes if all pieces had their full length: firstPiece × piece length */
  offset: number
  /** number of pieces, at least 1 */
  parts: number
  /** index of the piece that is part 0 */
  firstPiece: number
}

/** What a machine must have to compute a task. At least one of these is present. */
export interface TaskNeeds {
  /** programs that `command -v` must find where the commands run: 1 to 64 */
  tools?: readonly string[]
  /**
   * commands that must succeed when bash runs them where the task's commands run: 1 to 16, each of at most 4096 bytes
   */
  commands?: readonly string[]
  /** number of processors, 1 to 4096 */
  cpus?: number
  /** the processor must be one of these, named as by `uname -m`: 1 to 16 */
  arch?: readonly string[]
  /** a GPU, which commands may use only if the volunteer allows it */
  gpu?: boolean
}

/**
 * A valid signature of a task. It says that somebody vouches for the task; the reader decides who that is and whether
 * it is enough.
 */
export interface TaskSignature {
  /** Ed25519, 64 lower-case hex digits */
  publicKey: string
  /** 64 bytes, over the task digest and `remark` */
  signature: Uint8Array
  /** data that is also signed, as received: a bencoded dictionary of time and label */
  remark: Uint8Array
  /** when it was made, according to the signer */
  time: Date
  /** the signer's name for themselves */
  label?: string
}

/** How the pieces of a task share an input: which slice each piece sees. */
export type InputSplit =
  /** a folder with as many files as the task has pieces: piece i sees file i, in the torrent's or other task's order */
  | { by: 'files' }
  /** a single file, cut into slices of `size` bytes; the last slice may be shorter */
  | { by: 'bytes', size: number }
  /**
   * a list, with a table of the positions of its slices. In a torrent with the files `data` and `slices`, the table is
   * `slices`
   */
  | {
    by: 'table'
    /** piece count + 1 offsets, u64, big-endian; for an embedded input only */
    offsets?: Uint8Array
    /** entries per slice, fewer in the last one; if 1, the command receives ENTRY and the columns as variables */
    chunk: number
    /** names of the tab-separated values of an entry; empty: an entry is a single value */
    columns: readonly string[]
  }
  /** the output of a task with as many pieces: piece i sees piece i */
  | { by: 'pieces' }

interface InputBase {
  /** its name in the working directory of the commands: one path component */
  name: string
  /** bytes, all files together; an upper bound for a task's output */
  length: number
  /** absent: each piece sees the whole input */
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
  /** the number of files in its folder; absent: it is a single file (BEP 3 `length`) */
  files?: number
  data?: undefined
  task?: undefined
}

/** An input that is the output of another task. */
export interface OutputInput extends InputBase {
  /**
   * `digest`: the other task's digest, 32 bytes; `infoHash`: 40 lower-case hex digits; `path`: the input is this file
   * alone, its components below the folder of the other task joined by '/'
   */
  task: { digest: Uint8Array, infoHash: string, path?: string }
  data?: undefined
  infoHash?: undefined
}

/** Data that the commands of a task read. The info dictionary names it, so the info-hash covers it. */
export type TaskInput = EmbeddedInput | TorrentInput | OutputInput

/** A task file or a task's metadata, read and checked. */
export interface Task {
  /** 40 lower-case hex digits: SHA-1 of `info` as received (BEP 3) */
  infoHash: string
  /** the bytes of the info dictionary as received */
  info: Uint8Array
  /** 32 bytes: SHA-256 over everything that determines the output, see `taskDigest` */
  digest: Uint8Array
  name: string
  /** the largest size of a piece in bytes */
  pieceLength: number
  pieceCount: number
  /** bytes, an upper bound: pieces × piece length */
  length: number
  /** in the order of their pieces */
  files: TaskFile[]
  /** pattern of the file names, one file per piece, such as `frame-%04d.png`; absent: the files are listed */
  outputPattern?: string
  /** run by /bin/bash -c, once per piece; may be empty in a task of a later version, which may define it differently */
  command: string
  /**
   * features of the task that this version does not know, in words, such as `the key "inputs"`; absent: none. Such a
   * task is downloaded and passed on, but not computed, and no files are made of its parts
   */
  unsupported?: readonly string[]
  /** run once per file, when all its parts are stored; absent: the file is the concatenation of its parts */
  completeCommand?: string
  /** who runs the complete command: only the author, others keep the parts; absent: everybody who wants the file */
  completeBy?: 'author'
  /** in the order of the info dictionary; at most one has `split`; absent: none */
  inputs?: readonly TaskInput[]
  /** what a machine must have to compute it; absent: no requirements */
  needs?: TaskNeeds
  /** the name of the input that is the archive of the system in which the commands run; absent: the volunteer's */
  root?: string
  /** time limit that the task asks for each work item, milliseconds; absent: none */
  timeoutMs?: number
  /** time limit that it asks for the complete command of each file, milliseconds; absent: none */
  completeTimeoutMs?: number
  /** memory that it asks for each command, bytes; absent: none */
  memoryBytes?: number
  /** space in the scratch folder that it asks for each command, bytes; absent: none */
  scratchBytes?: number
  /**
   * decides whether a piece is right: run like `command`, with the piece on standard input; exits with 0: right, 1:
   * wrong, anything else: cannot tell; absent: none
   */
  verifyCommand?: string
  /** time limit of `verifyCommand`, milliseconds; absent: that of a work item */
  verifyTimeoutMs?: number
  /**
   * decides whether two results of a piece are the same: files `a` and `b` in the working directory, exit codes as of
   * `verifyCommand`; absent: equal bytes
   */
  compareCommand?: string
  /** whether equal runs give equal bytes on all machines; absent: not known */
  deterministic?: boolean
  /** public keys whose owners' results count as one's own, 1 to 8, each of 64 lower-case hex digits; absent: none */
  checkers?: readonly string[]
  /** trackers (BEP 3, BEP 12), without duplicates: http(s), udp and ws(s) only */
  announce: string[]
  comment?: string
  createdBy?: string
  created?: Date
  /** BEP 27: peers from trackers only */
  private?: boolean
  /** all valid, each by a different key; at most 8 */
  signatures: readonly TaskSignature[]
  /** has the format of the 2014 prototype (option `legacySwarm`): the commands are outside the info dictionary */
  legacy: boolean
  /** the info-hash of the 2014 task file that this task was converted from */
  convertedFrom?: string
}

/** Options of `createTask`. Either `parts` (one file, called `name`) or `files` (in a folder called `name`). */
export interface CreateTaskOptions {
  name: string
  /** run by /bin/bash -c, once per piece; at most 64 KiB */
  command: string
  /** number of pieces of the single file */
  parts?: number
  /** several files, or one in a folder; the components of `path` are separated by '/' */
  files?: ReadonlyArray<{ path: string, parts: number }>
  /**
   * with `parts`: makes each piece a file of its own, in a folder called `name`. The pattern contains one `%d` or
   * `%0Nd`, which stands for the piece index, such as `frame-%04d.png`; at most 10 000 files
   */
  outputPattern?: string
  /** the largest size of a piece in bytes: 1 to 2^30; default 1 MiB */
  pieceLength?: number
  /** run once per file, when all its parts are stored; default: the parts are concatenated */
  completeCommand?: string
  /** who runs the complete command: `author` only, so that others keep the parts, or `all`; default: all */
  completeBy?: 'author' | 'all'
  /**
   * data for the commands, at most 16 inputs: bytes (256 KiB in total; `length` is optional), torrents and outputs of
   * tasks; default: none
   */
  inputs?: ReadonlyArray<TaskInput | Omit<EmbeddedInput, 'length'>>
  /** what a machine must have to compute it; default: no requirements */
  needs?: TaskNeeds
  /**
   * the name of one of the inputs: a torrent of one file, the archive (tar, gzip, zstd) of the system in which the
   * commands run; default: the volunteer's
   */
  root?: string
  /** limit for each work item: whole seconds in milliseconds, 1 s to a year; default: the volunteer decides */
  timeoutMs?: number
  /** limit for the complete command of each file; as `timeoutMs` */
  completeTimeoutMs?: number
  /** memory that each command needs: 1 MiB to 1 TiB, in bytes; default: the volunteer decides */
  memoryBytes?: number
  /** space that each command needs in its folder; as `memoryBytes` */
  scratchBytes?: number
  /**
   * decides whether a piece is right: run like `command`, with the piece on standard input; exits with 0: right, 1:
   * wrong, anything else: cannot tell; default: none
   */
  verifyCommand?: string
  /** time limit of `verifyCommand`, whole seconds in milliseconds, 1 s to a year; default: that of a work item */
  verifyTimeoutMs?: number
  /**
   * decides whether two results of a piece are the same: files `a` and `b` in the working directory, exit codes as of
   * `verifyCommand`; default: equal bytes
   */
  compareCommand?: string
  /** whether equal runs give equal bytes on all machines; default: not known */
  deterministic?: boolean
  /** public keys whose owners' results count as one's own, 1 to 8, each of 64 lower-case hex digits; default: none */
  checkers?: readonly string[]
  /** trackers: http(s), udp and ws(s) URLs, at most 128; default: none */
  announce?: readonly string[]
  comment?: string
  createdBy?: string
  /** written in whole seconds; default: omitted, so that equal options give equal bytes */
  created?: Date
  /** BEP 27; default false */
  private?: boolean
}

/** Options of `parseTask`. */
export interface ParseTaskOptions {
  /**
   * Keeps task files of the 2014 prototype unchanged, to join their old swarm, whose info-hash does not cover the
   * command. Default false: the command is moved into the info dictionary, so the task has another swarm.
   */
  legacySwarm?: boolean
}

/**
 * A rule that a task breaks, and that only its author can correct. Readers of the task are advised to ask the author;
 * the author, who is creating it, is not: see `createTask`.
 */
export class TaskFlaw extends BitWorkerError {
  /** what is wrong, without advice and full stop */
  readonly what: string

  constructor (code: `BW_ERR_TASK_${string}` & ErrorCode, what: string, remedy?: Remedy) {
    super(code, 'input', `${what}. Ask its author to correct it.`, { remedy })
    this.what = what
  }
}

/** Makes any other error about a task file, its metadata, or the options of createTask. */
export function taskError (
  code: `BW_ERR_TASK_${string}` & ErrorCode, message: string, blame: Blame = 'input', cause?: unknown
): BitWorkerError {
  return new BitWorkerError(code, blame, message, cause === undefined ? undefined : { cause })
}
