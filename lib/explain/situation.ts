/**
 * What is known when somebody asks why a task, or a piece of it, is not going on. Plain values, gathered by
 * webtorrent/explaining.ts. Types only.
 */

/** What holds up computing here although it was asked for, as `Hold` of lib/control/. */
export interface Held {
  code: 'paused' | 'hours' | 'battery' | 'load' | 'memfree' | 'halted'
  /** a few words for people, such as `hours 22-7` */
  reason: string
}

/** Why no command can run here; the code is an `ErrorCode`. */
export interface Obstacle { code: string, message: string }

/** An input of the task that is not here, as the event 'input' says. */
export interface InputState {
  name: string
  state: 'fetching' | 'ready' | 'refused'
  /** bytes */
  have: number
  length: number
  /** how long nothing of it has arrived */
  forMs?: number
  message?: string
}

/** One source of peers, and what it has answered. */
export interface SourceState {
  kind: 'tracker' | 'dht' | 'lsd' | 'pex' | 'named'
  /** URL of a tracker */
  name?: string
  /** 'off': it is not asked; 'asked': it has not answered yet; 'failed': it said no, or could not be reached */
  state: 'off' | 'asked' | 'answered' | 'failed'
  /** addresses that it has named, ours included */
  peers: number
  /** nodes that our DHT node knows */
  nodes?: number
  /** why it failed */
  message?: string
}

/** An address that was called in vain. */
export interface FailedCall { address: string, source: SourceState['kind'], reason: string }

/** How peers are found. */
export interface PeerState {
  connected: number
  /** the port that this client listens on; 0: none */
  port: number
  /** connections that others have opened to it */
  incoming: number
  sources: readonly SourceState[]
  /** the latest ones */
  failed: readonly FailedCall[]
}

/** A claim of another peer. */
export interface ClaimState {
  /** address if known, else peer id */
  peer: string
  forMs: number
  /** 0: unknown */
  estimateMs: number
}

/** How a piece failed last. */
export interface PieceFailure {
  /** an `ErrorCode` */
  code: string
  message: string
  /** where it failed; absent: here */
  peer?: string
}

/** One piece. */
export interface PieceState {
  index: number
  isStored: boolean
  isWanted: boolean
  /** how long it has been computed here; null: it is not */
  runningMs: number | null
  /** claims that are respected */
  claims: readonly ClaimState[]
  /** connected peers that have it */
  holders: number
  /** it is expected of one of them */
  isExpected: boolean
  /** it lacks only its inputs */
  isWaiting: boolean
  /** 'retry': it failed and is tried again; 'left': not asked for (`pieces`); 'given-up': it failed too often */
  trouble: 'none' | 'retry' | 'given-up' | 'left'
  failure: PieceFailure | null
  /** peers that have given it up */
  elsewhere: readonly PieceFailure[]
}

/** What only the owner of a torrent knows. */
export type RunSituation = Pick<Situation, 'held' | 'isFinishing' | 'asks' | 'obstacle' | 'checks'>

/** Everything that decides the answer. */
export interface Situation {
  /** the metadata is there */
  isKnown: boolean
  done: boolean
  pieces: number
  missing: number
  running: number
  /** missing pieces that others credibly claim, and that are expected of connected peers */
  claimed: number
  expected: number
  /** pieces given up here, or not asked for here */
  givenUp: number
  /** missing pieces that lack only their inputs, and those that could start at once */
  waiting: number
  ready: number
  /** missing pieces that were deselected */
  unwanted: number
  /** work items at a time; 0: unknown */
  slots: number
  /** 'settling': it begins when the sources of peers have answered */
  computing: 'off' | 'settling' | 'on' | 'paused'
  held: readonly Held[]
  /** the running pieces end, then the client stops */
  isFinishing: boolean
  /** the user is being asked whether the command may run */
  asks: boolean
  obstacle: Obstacle | null
  /** all first pieces failed in the same way, and no more are computed */
  hopeless: Obstacle | null
  /** everything that is missing failed here, and no connected peer has it or computes it */
  isStuck: boolean
  /** one of its complete commands failed */
  fileFailure: PieceFailure | null
  /** results that are still to be checked, in one sentence */
  checks: string | null
  /** memory that the task asks for each command, and what commands get here, in bytes; 0: it asks for none */
  memoryAsked: number
  memoryLimit: number
  inputs: readonly InputState[]
  /** of the pieces that failed last */
  failure: PieceFailure | null
  peers: PeerState
  /** the piece that is asked for; null: the task as a whole */
  piece: PieceState | null
}
