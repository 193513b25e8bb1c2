/**
 * The public interfaces of clients, torrents and files: WebTorrent's members, and those for tasks. They are interfaces,
 * so that the underscored members of WebTorrent's classes do not appear in every editor.
 */
import type { Explanation } from '../explain/explain.ts'
import type { RunSituation } from '../explain/situation.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import type { InputEvent, TaskStats } from '../session/events.ts'
import type { Overview } from '../session/overview.ts'
import type { CreateTaskOptions, Task } from '../task/task.ts'
import type { HandOverOptions } from './leave.ts'
import type { ComputeOptions, PauseOptions, SealingOptions, TaskTorrentOptions } from './options.ts'
import type { VerificationReport } from './verify-types.ts'
import type { PieceState } from '../verification/types.ts'
import type { WebTorrentOptions } from './inherited-options.ts'
import type { Torrent as WebTorrentTorrent, TorrentFile, TorrentId, WebTorrentClient } from './types.ts'

/** A torrent of a BitWorker client. */
export interface Torrent extends WebTorrentTorrent {
  /** the task, once its metadata is known; null for an ordinary torrent */
  readonly task: Task | null
  /** the task leaves its complete command to its author, who is somewhere else: no files are made here, only parts */
  readonly leavesParts: boolean
  /** whether pieces are computed here */
  readonly computing: 'off' | 'on' | 'paused'
  /** The progress of the task; all zero before 'metadata', and for ordinary torrents. */
  stats (): TaskStats
  /** what is known of the results, and how they are accepted; null: they are not verified (option `verify`) */
  readonly verification: VerificationReport | null
  /** How the stored result of a piece is accepted; null: results are not verified. */
  standing (piece: number): PieceState | null
  /** the pieces and peers, for user interfaces; null before 'metadata', and for ordinary torrents */
  readonly overview: Overview | null
  /** Computes a piece here again that was given up after failures. */
  retry (piece: number): void
  /**
   * number of pieces computed at a time; 0: none are. Can be set while computing: what runs beyond a smaller number
   * goes on to its end. Throws BW_ERR_COMPUTE_OPTIONS.
   */
  slots: number
  /**
   * Why the task, or a piece of it, is not going on: the cause that holds it up (its code is stable), and what to do.
   * Throws BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK, and a RangeError for a piece that does not exist.
   * @param piece default: the task as a whole
   * @param run what only your application knows, such as why it has paused the torrent
   */
  explain (piece?: number | null, run?: Partial<RunSituation>): Explanation
  /**
   * Computes missing pieces from now on. Starts when the enabled sources of peers have answered once (after at most 5
   * s), so that nothing is computed that a peer already has. Throws BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK,
   * BW_ERR_TASK_REQUIRES (before 'metadata', a 'warning' has it), BW_ERR_COMPUTE_OPTIONS, and BW_ERR_BIND for a missing
   * `binds` path.
   */
  startComputing (options?: ComputeOptions): void
  /** the progress of the task's inputs, in its order; empty if nothing is computed, or there are none */
  readonly inputs: InputEvent[]
  /**
   * The tasks whose outputs this one reads. They are added to the client, and only downloaded unless they are told to
   * compute. Tasks that cannot be added are left out; 'input' says why. Empty before 'metadata'.
   */
  stages (): Promise<Torrent[]>
  /** Suspends the running work items, and starts no others. With `{ running: 'finish' }`, they go on to their end. */
  pauseComputing (options?: PauseOptions): void
  /** Resumes computing after `pauseComputing()`. */
  resumeComputing (): void
  /** Kills the running work items. Resolves when they have ended. Results of others are still downloaded. */
  stopComputing (): Promise<void>
  /**
   * To be called before leaving. Resolves when no connected peer wants a piece that it can get only from this one, or
   * after `timeoutMs` (default: 10 minutes), with what is still outstanding. Emits 'leaving' whenever that changes.
   * Resolves at once for an ordinary torrent.
   */
  handOver (options?: HandOverOptions): Promise<Outstanding>
  /**
   * Makes an ordinary torrent of the finished files, with their actual lengths, and seeds it in place. Resolves with
   * that torrent; every BitTorrent client accepts its `torrentFile` and `magnetURI`. The same files give the same
   * info-hash. It ends with this torrent, or when a piece is lost. `onProgress` is called with the number of bytes
   * read, and the total. Rejects with BW_ERR_NOT_FINISHED, BW_ERR_NOT_A_TASK, BW_ERR_TASK_REQUIRES, BW_ERR_DESTROYED,
   * BW_ERR_ABORTED, BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK.
   */
  seal (options?: SealingOptions): Promise<Torrent>
}

/** A file of a task: `length` is an upper bound until it is finished, and reading waits for missing parts. */
export interface TaskFileView extends TorrentFile {
  /** index of the file in the task */
  readonly index: number
  /** true if all parts are stored and the file is finished: `length` is exact */
  readonly isFinished: boolean
}

/** Called with the torrent when it is ready. */
export type TorrentCallback = (torrent: Torrent) => void

/**
 * A drop-in replacement for a WebTorrent client that can also compute tasks.
 *
 *   const client = new BitWorker()
 *   const torrent = client.add('squares.bitworker', { path: 'out', compute: true })
 *   torrent.on('done', () => { … })
 */
export interface BitWorker extends WebTorrentClient<Torrent> {
  /**
   * Adds a torrent or a task: a path, URL, Blob, bytes, magnet link, info-hash or parsed object, including a `Task`.
   * Adding never runs anything by itself: see the option `compute` and `torrent.startComputing`. Errors are emitted by
   * the torrent, or by the client if the torrent has no listener for them.
   */
  add(
    torrentId: TorrentId | Task, opts?: TaskTorrentOptions | TorrentCallback | null, ontorrent?: TorrentCallback
  ): Torrent
  /**
   * Returns the torrent with this id, or null. Like WebTorrent's method, it loads nothing: paths and URLs are not
   * looked up.
   */
  get(torrentId: TorrentId | Task | Torrent): Promise<Torrent | null>
  /**
   * Makes a task. Pass it to `add`, or write `encodeTask(task)` to a file. Throws BW_ERR_TASK_OPTIONS and the errors of
   * `parseTask`.
   */
  createTask(options: CreateTaskOptions): Task
}

/** The constructor of a client. */
export interface BitWorkerConstructor {
  new (options?: WebTorrentOptions): BitWorker
  readonly VERSION: string
  readonly UTP_SUPPORT: boolean
  readonly WEBRTC_SUPPORT: boolean
}
