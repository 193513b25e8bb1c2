/** What is simulated: the numbers of a swarm, and their defaults. */

/**
 * `bitworker`: what lib/ does. `random`: the paper's model, lock-step rounds in which everybody takes any missing piece
 * without a word to others. `random-async`: the same without the rounds: everybody goes on at once.
 */
export type Policy = 'bitworker' | 'random' | 'random-async'

/**
 * What a squatter does with its claims: renews them for ever, releases and claims others, or lets them lapse. Or it
 * invents neighbours that claim, too.
 */
export type Squat = 'hold' | 'cycle' | 'lapse' | 'invent'

/**
 * What a liar does, which announces every piece: delivers nothing, or one block each 25 s, or each piece a little
 * sooner than it could be computed; comes back under a new peer id each 30 s; delivers a few pieces fast and announces
 * the rest then; sends wrong data; or says that all pieces are tiny.
 */
export type Lie = 'silent' | 'trickle' | 'slow' | 'reborn' | 'bait' | 'garbage' | 'sizes'

/**
 * What the program of a forger does: takes no time, and is always wrong; is wrong for one piece of ten; or is right
 * until half of the ideal time is over, and wrong from then on. All forgers are wrong in the same way.
 */
export type Forgery = 'instant' | 'tenth' | 'late'

/** What the honest accept (lib/verification/): whatever was announced, or what the attestations are believed for. */
export type Verify = 'off' | 'audit'

/** One swarm. Times are milliseconds of virtual time. */
export interface Scenario {
  pieces: number
  /** that compute; squatters and liars come on top of these */
  peers: number
  /** connections of each; 0: everybody with everybody */
  degree: number
  /** median work of a piece on a peer of median speed */
  workMs: number
  /** of the log-normal distributions */
  workSigma: number
  speedSigma: number
  /** one way, uniformly distributed */
  minLatencyMs: number
  maxLatencyMs: number
  /** for how long announcements wait for others to travel with; 0: as long as the extension lets them */
  batchMs: number
  pieceBytes: number
  /** of one download */
  bytesPerSecond: number
  slots: number
  /**
   * work items that start after this take `busyFactor` times as long, on all peers: the machines are busy; 0: they
   * never are
   */
  busyAfterMs: number
  busyFactor: number
  /** by how much each peer finds itself late (lib/scheduling/lag.ts) */
  lagMs: number
  /** share of peers that are `slowFactor` times slower */
  slow: number
  slowFactor: number
  /** share of peers that die at a random time within the ideal time */
  dying: number
  /** after how long the others find out; 0: their connections close at once */
  deathNoticeMs: number
  /** squatters as a share of all peers */
  squatters: number
  squat: Squat
  /** liars as a share of all peers */
  liars: number
  lie: Lie
  /** forgers as a share of the peers; they attest what they say, and are alive and reachable */
  forgers: number
  forgery: Forgery
  verify: Verify
  /** honest peers that are members of the one trusted key */
  members: number
  policy: Policy
}

/** security.md's parameters: a full mesh on three continents with a machine of each kind. */
export const DEFAULTS: Scenario = {
  pieces: 192,
  peers: 16,
  degree: 0,
  workMs: 10_000,
  workSigma: 0.2,
  speedSigma: 0.3,
  minLatencyMs: 1,
  maxLatencyMs: 200,
  batchMs: 0,
  pieceBytes: 65_536,
  bytesPerSecond: 1_250_000,
  slots: 1,
  busyAfterMs: 0,
  busyFactor: 5,
  lagMs: 0,
  slow: 0,
  slowFactor: 10,
  dying: 0,
  deathNoticeMs: 120_000,
  squatters: 0,
  squat: 'hold',
  liars: 0,
  lie: 'silent',
  forgers: 0,
  forgery: 'instant',
  verify: 'off',
  members: 0,
  policy: 'bitworker'
}

/** The paper's model: all alike, and news travel in no time. */
export const LOCK_STEP: Partial<Scenario> = {
  policy: 'random', workSigma: 0, speedSigma: 0, minLatencyMs: 0, maxLatencyMs: 0, pieceBytes: 0
}
