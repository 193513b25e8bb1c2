/**
 * BitWorker: a BitTorrent swarm that computes. The public API of the package.
 *
 *   import BitWorker from 'bitworker' // instead of: import WebTorrent from 'webtorrent'
 */
import Client from './webtorrent/client.ts'
import type { BitWorker as Instance, BitWorkerConstructor } from './webtorrent/public-types.ts'

/** The client class, and the type of a client. */
const BitWorker: BitWorkerConstructor = Client
type BitWorker = Instance
export default BitWorker

export type {
  BitWorkerConstructor, TaskFileView, Torrent, Torrent as ComputeTorrent, TorrentCallback
} from './webtorrent/public-types.ts'
export type {
  DestroyOptions,
  SeedItem,
  SeedOptions,
  ServerOptions,
  TorrentOptions,
  TrackerOptions,
  WebTorrentOptions
} from './webtorrent/inherited-options.ts'
export type {
  ByteRange,
  Dht,
  FileRequest,
  TorrentError,
  TorrentEvents,
  TorrentFile,
  TorrentFileEvents,
  TorrentId,
  TorrentPiece,
  WebTorrentEvents,
  WebTorrentServer
} from './webtorrent/types.ts'
export type {
  BitField, Wire, WireEvents, WireExtension, WireExtensionConstructor, WireExtensions
} from './base/wire.ts'
export { detectSandbox } from './executor/sandbox/detect.ts'
export type { Sandbox, SandboxChoice, SandboxReport, Tier } from './executor/sandbox/types.ts'
export type { Limits } from './executor/limits.ts'
export type { Bind } from './executor/binds.ts'
export type { ComputeOptions, PauseOptions, SealingOptions, TaskTorrentOptions } from './webtorrent/options.ts'
export type {
  AbortedEvent, ComputedEvent, FailedEvent, HopelessEvent, MisdeedEvent, PieceResult, TaskStats
} from './session/events.ts'
export type { ExplainCode, Explanation } from './explain/explain.ts'
export type { Held, Obstacle, RunSituation } from './explain/situation.ts'
export type { FinishedFile } from './store/types.ts'
export type { HandOverOptions } from './webtorrent/leave.ts'
export type { Outstanding } from './peers/hand-over.ts'
export { createTask, encodeTask, isTask, magnetOf, parseTask } from './task/task.ts'
export type {
  CreateTaskOptions,
  EmbeddedInput,
  InputSplit,
  OutputInput,
  ParseTaskOptions,
  Task,
  TaskFile,
  TaskInput,
  TaskNeeds,
  TaskSignature,
  TorrentInput
} from './task/task.ts'
export { createTaskFrom } from './inputs/make-task.ts'
export type { CreateTaskFromOptions, InputSource, PerPart } from './inputs/make-task.ts'
export type { ValueList } from './inputs/ranges.ts'
export type { RootSource } from './inputs/roots/root-source.ts'
export { signTask } from './task/signature.ts'
export type { SignOptions } from './task/signature.ts'
export { judgeTask, judgeTasks } from './trust/judge.ts'
export type { Judgement, SignerJudgement } from './trust/judge.ts'
export { readSigningKey, readTrustStore } from './config/trust-files.ts'
export type { KnownAuthor, TrustScope, TrustStore } from './trust/list-format.ts'
export { utBitworker } from '../extensions/ut_bitworker/index.ts'
export type { ClaimRecord, ResultRecord, UtBitworker, UtBitworkerOptions } from '../extensions/ut_bitworker/index.ts'
export { BashExecutor } from './executor/bash-executor.ts'
export type { Executor, ItemOutcome, RunningItem, WorkItem } from './executor/bash-executor.ts'
export type { PolicyOption, VerificationReport, VerifyOptions } from './webtorrent/verify-types.ts'
export type { PieceState } from './verification/types.ts'
export { BitWorkerError, CommandError } from './base/errors.ts'
export type { Blame, CommandFailure, ErrorCode } from './base/errors.ts'
export { version } from './version.ts'
