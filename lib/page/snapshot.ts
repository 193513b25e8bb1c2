/**
 * What the server of the page and the page say to each other: every path, answer, event and action. Both sides import
 * this file and piece-states.ts, and the page imports nothing else of lib/. docs/page.md has the same in words, and the
 * JSON schema of the actions. Pure.
 *
 * All but the files of the page needs the header `Authorization: Bearer TOKEN`; the token is in the fragment of the
 * link. Paths of a task begin with `/api/task/INFOHASH`:
 *
 *   GET  /api/tasks                  TaskList
 *   GET  /api/task/HASH              TaskView
 *   GET  /api/task/HASH/pieces       states, packed (see `packStates`); the header PIECES_VERSION_HEADER
 *   GET  /api/task/HASH/copies       numbers of copies of each piece, packed alike; 15: so many or more
 *   GET  /api/task/HASH/piece/INDEX  PieceView
 *   GET  /api/task/HASH/events       a stream of Server-Sent Events: `PageEvents`
 *   POST /api/task/HASH              an Action as JSON; answered by ActionAnswer
 *   GET  /preview/TICKET             bytes of a file, also by ranges; without the header: the ticket is the permission
 *
 * Whatever is refused is answered by a status of 400 or more, and a Problem. Texts are as the task and other peers
 * wrote them: a page shows them as text, never as HTML. Times are milliseconds since 1970, sizes are bytes, speeds
 * bytes per second, durations milliseconds, unless a name says otherwise. null: unknown, or none.
 */
import type { PieceStateName, Run } from './piece-states.ts'

/** The answer of /api/tasks. */
export interface TaskList {
  /** of BitWorker */
  version: string
  tasks: TaskSummary[]
}

/** Numbers of pieces, as in `torrent.stats()`. */
export interface PieceCounts {
  pieces: number
  stored: number
  missing: number
  /** since the client has started */
  computed: number
  downloaded: number
  /** here, now */
  running: number
  /** by others, now */
  claimed: number
  failed: number
}

/** How a task is getting on: what changes. */
export interface TaskLive {
  pieces: PieceCounts
  /** 'off': nothing is computed here, only downloaded and seeded */
  computing: 'off' | 'on' | 'paused'
  /** it stops when the running pieces have ended */
  finishing: boolean
  done: boolean
  /** why nothing is started: a few words each */
  paused: string[]
  /** what it waits for: one line each */
  waiting: string[]
  /** what it does, in words; null: nothing special */
  state: string | null
  /** a further remark */
  remark: string | null
  peers: number
  /** pieces that are computed at a time; 0: none are computed here */
  slots: number
  downloadSpeed: number
  uploadSpeed: number
  /** since the client has started */
  downloaded: number
  uploaded: number
  timeLeftMs: number | null
  /** pieces stored per minute, over the last minutes: the basis of the time left; null: too early to tell */
  piecesPerMinute: number | null
  /** per file, in the order of `TaskView.files` */
  files: FileLive[]
}

/** What changes of a file. */
export interface FileLive {
  /** stored pieces */
  stored: number
  /** their bytes */
  bytes: number
  /** it is finished, and has its exact length */
  isFinished: boolean
}

/** A task in the list. */
export interface TaskSummary {
  /** 40 hex digits */
  infoHash: string
  name: string
  /** it reads this task's output, and is the reason why this one runs; null: the user has started it */
  neededBy: string | null
  pieces: PieceCounts
  computing: TaskLive['computing']
  done: boolean
}

/** A task with what does not change. */
export interface TaskView extends TaskSummary {
  /** the folder of its files */
  folder: string
  command: string
  completeCommand: string | null
  comment: string | null
  createdBy: string | null
  createdAt: number | null
  /** the most bytes of a piece */
  pieceLength: number
  /** who has signed it, in words such as `Signed by Ada, whom you trust.`; null: nobody */
  signed: string | null
  /** how results of others are verified, such as `audit`; null: they are not */
  verifying: string | null
  magnet: string
  files: FileView[]
  live: TaskLive
}

/** A file of a task. */
export interface FileView {
  index: number
  /** relative, with `/` */
  path: string
  /** its first piece, and their number */
  first: number
  pieces: number
  /** what a browser can show of it, by its name; null: nothing */
  preview: 'image' | 'video' | 'audio' | 'text' | null
}

/** A piece that is computed here. */
export interface SlotView {
  piece: number
  since: number
  /** how long pieces usually take here; null: none has ended */
  estimateMs: number | null
  /** 'check': there is a result already, to compare with; 'backup': others compute it as well */
  kind: 'piece' | 'check' | 'backup'
}

/** An attempt that has ended here. */
export interface EndedView {
  piece: number
  at: number
  outcome: 'computed' | 'failed' | 'aborted'
  ms: number | null
  cpuMs: number | null
  memoryBytes: number | null
  /** why it failed or was aborted: one line */
  message: string | null
}

/** The slots of this machine. */
export interface WorkView {
  running: SlotView[]
  /** the last ten, the latest first */
  ended: EndedView[]
}

/** A connected peer. */
export interface PeerView {
  /** its address, or its peer id */
  name: string
  /** what program it says it is */
  client: string | null
  /** it speaks ut_bitworker of this task: otherwise the numbers of pieces are null */
  isTaskPeer: boolean
  /** pieces that it has */
  held: number | null
  /** pieces that it computes now, as it says */
  claims: number | null
  /** pieces that it sent, and that were right */
  delivered: number | null
  /** bytes in both directions */
  received: number
  sent: number
  downloadSpeed: number
  uploadSpeed: number
  /** how often it has broken a rule */
  strikes: number
}

/** The answer of /piece/INDEX. */
export interface PieceView {
  piece: number
  state: PieceStateName
  /** index of its file, and its place in that */
  file: number
  part: number
  /** of the stored result */
  size: number | null
  /** 64 hex digits */
  sha256: string | null
  /** how its result is accepted, as `torrent.standing()` says */
  standing: string | null
  /** it goes before others */
  isUrgent: boolean
  /** computed here now */
  running: SlotView | null
  /** who computes it, as they say; at most 16 */
  claims: ClaimView[]
  /** connected peers that have it; at most 16 names */
  holders: string[]
  copies: number
  /** who attests its result: names or keys; at most 16 */
  attesters: string[]
  /** what the log has of it, the latest first; at most 20 */
  attempts: AttemptView[]
  /** why it is not here, or what happens to it, in a sentence */
  explanation: string | null
}

/** A peer says that it computes a piece. */
export interface ClaimView {
  /** its address, or its peer id */
  peer: string
  since: number
  estimateMs: number | null
  /** it is believed: the piece is left to it */
  isRespected: boolean
}

/** An entry of the log, as `bitworker log --json` has it. */
export interface AttemptView {
  at: number
  event: 'computed' | 'downloaded' | 'failed' | 'peerFailed' | 'aborted' | 'checked'
  ms?: number
  cpuMs?: number
  memoryBytes?: number
  code?: string
  exitCode?: number
  signal?: string
  message?: string
  final?: boolean
  stderr?: string
  size?: number
  sha256?: string
  from?: string[]
  reason?: string
  right?: boolean
}

/** One point of the rates: an average over `RatesView.stepMs` that ends at `at`. */
export type RatePoint = [at: number, piecesPerMinute: number, downloadSpeed: number, uploadSpeed: number]

/** The rates of the last hour at most, the oldest first. */
export interface RatesView {
  stepMs: number
  points: RatePoint[]
}

/** Something that has happened. */
export interface MessageView {
  /** ascending */
  id: number
  at: number
  kind: 'info' | 'warning' | 'failure'
  text: string
  piece: number | null
}

/** The changes of states since the last event of this kind. */
export interface PiecesDelta {
  version: number
  runs: Run[]
}

/**
 * The events of a stream, by name; `data` is JSON. A stream begins with `task`, `work`, `peers`, `rates` and
 * `messages`. Then they come when they have changed: `pieces` at most five times a second, the others at most once.
 */
export interface PageEvents {
  /** everything but states: TaskView once, at the beginning */
  task: TaskView
  live: TaskLive
  pieces: PiecesDelta
  /** so much has changed that `pieces` are to be fetched again, or the reader was too slow */
  reload: { version: number }
  work: WorkView
  peers: PeerView[]
  /** all points at the beginning, then the new ones */
  rates: RatesView
  /** the last 100 at the beginning, then the new ones */
  messages: MessageView[]
  /** the client ends, and the stream with it */
  end: { done: boolean }
}

/** What a page can ask for. All but `preview` need a client that may do so; a command starts by none of them. */
export type Action =
  /** suspends what runs and starts nothing; goes on; lets what runs end and then ends the client; ends it at once */
  | { do: 'pause' | 'resume' | 'finish' | 'stop' }
  /** how many pieces are computed at a time: 1 to 1024 */
  | { do: 'slots', slots: number }
  /** a piece that was given up here is computed here again; it is fetched or computed before others */
  | { do: 'retry' | 'first', piece: number }
  /** a ticket for /preview/TICKET: for this file, until nobody has used it for ten minutes */
  | { do: 'preview', file: number }

/** The answer to an action. */
export interface ActionAnswer {
  /** how it is getting on now */
  live: TaskLive
  /** of `preview`: a path on the same server */
  preview?: string
}

/** What is answered in place of something that is refused. */
export interface Problem {
  error: {
    /** one of docs/errors.md */
    code: string
    /** one sentence for people, and what to do */
    message: string
  }
}
