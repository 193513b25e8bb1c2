/**
 * BitWorker: a BitTorrent swarm that computes. The package's public API.
 *
 *   import BitWorker from 'bitworker' // where it was: import WebTorrent from 'webtorrent'
 */
export { default } from './client.ts'
export type { TorrentCallback } from './client.ts'
export type { ComputeTorrent } from './torrent.ts'
export type { TaskFileView } from './file.ts'
export type { Bind, ComputeOptions, TaskTorrentOptions } from './options.ts'
export type { AbortedEvent, ComputedEvent, FailedEvent, FinishedFile, MisdeedEvent, PieceResult, TaskStats } from './task-events.ts'
export { createTask, encodeTask, isTask, magnetOf, parseTask } from './task.ts'
export type { CreateTaskOptions, Task, TaskFile } from './task.ts'
export { utBitworker } from '../extensions/ut_bitworker/index.ts'
export type { ClaimRecord, ResultRecord, UtBitworker, UtBitworkerOptions } from '../extensions/ut_bitworker/index.ts'
export { BashExecutor } from './executor.ts'
export type { Executor, ItemOutcome, RunningItem, WorkItem } from './executor.ts'
export { BitWorkerError, CommandError } from './errors.ts'
export type { Blame, CommandFailure, ErrorCode } from './errors.ts'
export { version } from './version.ts'
