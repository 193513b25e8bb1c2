/**
 * Says in one sentence why a task, or a piece, is not going on: the cause that really holds it up, and what to do.
 * Pure. The order of the causes is the order in which they stop a piece: what nobody could get past comes first.
 */
import { formatBytes, formatDuration, plural } from '../base/quantities.ts'
import { noPeers, sourceLines } from './no-peers.ts'
import type { Held, InputState, Obstacle, PieceFailure, PieceState, Situation } from './situation.ts'

/** Stable names of the causes; docs/reference.md explains each. */
export type ExplainCode =
  | 'battery' | 'checks' | 'claimed' | 'complete-failed' | 'completing' | 'consent' | 'denied' | 'disk-full' | 'done'
  | 'downloading' | 'finishing' | 'given-up' | 'gpu' | 'halted' | 'hopeless' | 'hours' | 'input'
  | 'input-refused' | 'left-out' | 'load' | 'memfree' | 'memory' | 'needs' | 'no-metadata' | 'no-peers' | 'no-sandbox'
  | 'not-computing' | 'obstacle' | 'paused' | 'ready' | 'requires' | 'retry' | 'root' | 'running'
  | 'settling' | 'stored' | 'unreachable' | 'unwanted'

/** Why it is not going on, or that it is. */
export interface Explanation {
  code: ExplainCode
  /** one sentence, or two: the cause, and what to do */
  sentence: string
  /** null: the task as a whole */
  piece: number | null
  /** it does not go on unless somebody does something */
  isStuck: boolean
  /** more of it, one line each: with no peers, what each source of peers has answered */
  details: string[]
}

type Cause = Pick<Explanation, 'code' | 'sentence'> & { isStuck?: boolean }

/** The answer. Of several causes, the one without which the others would not matter. */
export function explain (now: Situation): Explanation {
  const { piece, peers } = now
  const { isStuck = false, ...cause } = piece === null ? taskCause(now) : pieceCause(now, piece)
  const lonely = peers.connected === 0 && cause.code !== 'done' && cause.code !== 'stored'
  const details = [...detailsOf(now, cause.code), ...lonely ? sourceLines(peers) : []]
  return { ...cause, piece: piece?.index ?? null, isStuck, details }
}

function taskCause (now: Situation): Cause {
  return unknown(now) ?? whole(now) ?? going(now) ?? blocked(now) ?? waitingFor(now)
}

function pieceCause (now: Situation, piece: PieceState): Cause {
  return unknown(now) ?? settledPiece(piece) ?? fromOthers(piece) ?? blocked(now) ?? own(now, piece)
}

/** Nothing is known of the task. */
function unknown ({ isKnown, peers }: Situation): Cause | null {
  if (isKnown) return null
  if (peers.connected === 0) return noPeers(peers, 'The metadata of the task is not here')
  return {
    code: 'no-metadata',
    sentence: `The metadata of the task is not here: ${plural(peers.connected, 'peer is', 'peers are')} connected, and none has sent it. Name a peer that has the task, or get the task file.`
  }
}

/** All pieces are here. */
function whole ({ done, missing, pieces, fileFailure, checks }: Situation): Cause | null {
  if (done) return { code: 'done', sentence: `The task is done: all ${plural(pieces, 'piece')} are here, and the files are finished.` }
  if (missing > 0) return null
  if (fileFailure !== null) {
    return {
      code: 'complete-failed',
      isStuck: true,
      sentence: `All pieces are here, but a file could not be made from them: ${sentence(fileFailure.message)} Run the task again to retry.`
    }
  }
  if (checks !== null) return { code: 'checks', sentence: checks }
  return { code: 'completing', sentence: 'All pieces are here, and the files are being made from them.' }
}

/** Something is running here. */
function going ({ running, slots, missing, claimed, isFinishing, computing, held }: Situation): Cause | null {
  if (running === 0 || computing !== 'on' || isFinishing || held.length > 0) return null
  const of = slots === 0 ? '' : ` in ${plural(slots, 'slot')}`
  const others = claimed === 0 ? '' : `, and other peers compute ${claimed}`
  return { code: 'running', sentence: `It is running: ${plural(running, 'piece is', 'pieces are')} being computed here${of}${others}; ${plural(missing, 'piece is', 'pieces are')} missing.` }
}

/** Codes of errors, and the causes that they are. */
const OBSTACLES: Readonly<Record<string, ExplainCode>> = {
  BW_ERR_NO_SANDBOX: 'no-sandbox',
  BW_ERR_NO_SHELL: 'no-sandbox',
  BW_ERR_NO_EXECUTOR: 'no-sandbox',
  BW_ERR_NEEDS: 'needs',
  BW_ERR_ROOT: 'root',
  BW_ERR_TASK_REQUIRES: 'requires',
  BW_ERR_INPUT_LIMIT: 'input-refused',
  BW_ERR_DISK_FULL: 'disk-full',
  BW_ERR_CONSENT: 'consent',
  BW_ERR_REFUSED: 'consent',
  BW_ERR_DENIED: 'denied'
}

/** The cause that an error is. */
export function causeOf ({ code, message }: Obstacle): Cause {
  const isGpu = code === 'BW_ERR_NEEDS' && message.includes('needs a GPU')
  return { code: isGpu ? 'gpu' : OBSTACLES[code] ?? 'obstacle', isStuck: true, sentence: sentence(message) }
}

const HELD: Readonly<Record<Held['code'], (reason: string) => string>> = {
  paused: () => 'Computing is paused. It goes on when it is resumed.',
  hours: reason => `It is not the time at which this machine computes (${reason}). It goes on by itself at that time.`,
  battery: () => 'This machine runs on battery. It goes on when it is plugged in.',
  load: reason => `This machine is busy (${reason}). It goes on when the load is lower.`,
  memfree: reason => `This machine has ${reason}. It goes on when there is more.`,
  halted: () => 'Too many pieces failed, so no more are started, and the run ends. The log of the task has the reasons.'
}

/** Nothing starts here, whichever piece it is. */
function blocked (now: Situation): Cause | null {
  const { obstacle, asks, computing, held, isFinishing, hopeless, peers, isStuck } = now
  const others = elsewhere(now)
  if (obstacle !== null) {
    const cause = causeOf(obstacle)
    return { ...cause, isStuck: others === '', sentence: `${cause.sentence}${others}` }
  }
  if (asks) {
    return { code: 'consent', isStuck: true, sentence: `The task waits for your answer: no key that you trust has signed it, so its command runs only if you agree. Answer where it was started.${others}` }
  }
  if (isFinishing) return { code: 'finishing', sentence: `No more pieces are started: the running ones end, then the client stops, as it was asked to.${others}` }
  if (hopeless !== null) return { ...outOfMemory(now, hopeless) ?? { code: 'hopeless', sentence: sentence(hopeless.message) }, isStuck: others === '' }
  if (computing === 'off') {
    if (others === '' && peers.connected === 0) return noPeers(peers, 'Nothing is computed here, and no peer has the missing pieces')
    return {
      code: 'not-computing',
      isStuck: others === '' && !isStuck,
      sentence: others === ''
        ? `Nothing is computed here, and ${plural(peers.connected, 'connected peer has', 'connected peers have')} none of the missing pieces and compute none. Compute here as well, or start a peer that does.`
        : `Nothing is computed here, only downloaded.${others}`
    }
  }
  const [hold] = held
  if (hold !== undefined) {
    const more = held.slice(1).map(({ reason }) => reason)
    return { code: hold.code, sentence: `${HELD[hold.code](hold.reason)}${more.length === 0 ? '' : ` Also: ${more.join(', ')}.`}${others}` }
  }
  if (computing === 'paused') return { code: 'paused', sentence: `${HELD.paused('')}${others}` }
  if (computing === 'settling') {
    const fetched = inputCause(now)
    return fetched ?? { code: 'settling', sentence: 'Computing begins in a moment, when the sources of peers have answered: what a peer has is downloaded.' }
  }
  return null
}

/** What comes from others meanwhile; empty: nothing. */
function elsewhere ({ claimed, expected }: Situation): string {
  const parts = [
    ...claimed === 0 ? [] : [`compute ${plural(claimed, 'piece')}`], ...expected === 0 ? [] : [`send ${plural(expected, 'piece')}`]
  ]
  return parts.length === 0 ? '' : ` Other peers ${parts.join(' and ')} meanwhile.`
}

/** Computing is on, and nothing runs. */
function waitingFor (now: Situation): Cause {
  const { missing, expected, claimed, ready, givenUp, unwanted, waiting, isStuck, failure } = now
  if (ready === 0 && waiting > 0) {
    const input = inputCause(now)
    if (input !== null) return input
  }
  if (isStuck || (givenUp > 0 && givenUp >= missing - unwanted - claimed - expected && claimed + expected === 0)) {
    return givenUpCause(now, failure, (plural(givenUp, 'piece')))
  }
  if (ready === 0 && claimed > 0) {
    return { code: 'claimed', sentence: `Other peers compute all that can be computed now (${plural(claimed, 'piece')}), so nothing is left to start here. What they do not deliver in time is computed here.` }
  }
  if (ready === 0 && expected > 0) {
    return { code: 'downloading', sentence: `${plural(expected, 'missing piece is', 'missing pieces are')} expected of peers that have them, so nothing needs to be computed.` }
  }
  if (unwanted > 0 && unwanted >= missing) return { code: 'unwanted', sentence: 'The missing pieces were deselected, so nobody here computes or downloads them.' }
  if (failure !== null && ready === 0) return { code: 'retry', sentence: `${sentence(failure.message)} It is tried again in a moment.` }
  return { code: 'ready', sentence: `${plural(missing, 'piece is', 'pieces are')} missing, and the next one starts in a moment.` }
}

function outOfMemory (now: Situation, failure: Obstacle): Cause | null {
  const { memoryAsked, memoryLimit } = now
  if (failure.code !== 'BW_ERR_COMMAND_MEMORY' && !/\bmemory\b/.test(failure.message)) return null
  if (memoryAsked <= memoryLimit) return null
  return { code: 'memory', sentence: `The task asks for ${formatBytes(memoryAsked)} of memory for each command, commands get at most ${formatBytes(memoryLimit)} here, and they failed with that. Allow more, if this machine has it.` }
}

function givenUpCause (now: Situation, failure: PieceFailure | null, what: string): Cause {
  const { isStuck, peers } = now
  const out = failure === null ? null : outOfMemory(now, failure)
  if (out !== null) return { ...out, isStuck }
  if (failure === null) {
    return { code: 'left-out', isStuck, sentence: `Only some pieces were asked for here: ${what} of the others are left to other peers.` }
  }
  const who = peers.connected === 0 ? 'no peer is connected' : 'no connected peer has or computes it'
  return {
    code: 'given-up',
    isStuck: true,
    sentence: `The command failed too often here, so ${what} ${what === 'it' || what.startsWith('1 ') ? 'is' : 'are'} not tried again, and ${who}. The last failure: ${sentence(failure.message)} Mend the cause, then try them again.`
  }
}

/** An input that is not here. */
function inputCause ({ inputs, peers }: Situation): Cause | null {
  const refused = inputs.find(({ state }) => state === 'refused')
  if (refused !== undefined) return { code: 'input-refused', isStuck: true, sentence: sentence(refused.message ?? `The input ${refused.name} cannot be used.`) }
  const input = inputs.find(({ state }) => state === 'fetching')
  if (input === undefined) return null
  if (input.message !== undefined && /\bspace is free\b/.test(input.message)) return { code: 'disk-full', sentence: sentence(input.message) }
  return { code: 'input', sentence: `${inputWords(input)} ${input.message === undefined ? whoSends(input, peers.connected) : sentence(input.message)}` }
}

function inputWords ({ name, have, length, forMs = 0 }: InputState): string {
  const since = forMs < 1_000 ? '' : `, and nothing of it has arrived for ${formatDuration(forMs)}`
  return `It waits for the input ${JSON.stringify(name)}: ${formatBytes(have)} of ${formatBytes(length)} are here${since}.`
}

function whoSends ({ have, length }: InputState, connected: number): string {
  if (have === length) return 'It is being prepared.'
  return `${connected === 0 ? 'No peer is connected' : `${plural(connected, 'peer is', 'peers are')} connected`}; start a peer that has it, or name a copy of it on this machine.`
}

/** The piece is stored, is being computed here, or nobody wants it. */
function settledPiece ({ index, isStored, isWanted, runningMs }: PieceState): Cause | null {
  if (isStored) return { code: 'stored', sentence: `Piece ${index} is stored here.` }
  if (runningMs !== null) return { code: 'running', sentence: `Piece ${index} has been computed here for ${formatDuration(runningMs)}.` }
  return isWanted ? null : { code: 'unwanted', sentence: `Piece ${index} was deselected, so nobody here computes or downloads it.` }
}

/** The piece comes from another peer. */
function fromOthers ({ index, claims, holders, isExpected }: PieceState): Cause | null {
  if (isExpected) {
    return { code: 'downloading', sentence: `Piece ${index} is not computed here, because ${plural(holders, 'connected peer has', 'connected peers have')} it and it is downloaded from there.` }
  }
  const [claim] = [...claims].sort((a, b) => b.forMs - a.forMs)
  if (claim === undefined) return null
  const usual = claim.estimateMs === 0 ? '' : `, of about ${formatDuration(claim.estimateMs)}`
  return { code: 'claimed', sentence: `Piece ${index} is not computed here, because ${claim.peer} has claimed it for ${formatDuration(claim.forMs)}${usual}. If it does not deliver in time, it is computed here.` }
}

/** The piece is missing, and to be computed here. */
function own (now: Situation, { index, isWaiting, trouble, failure, elsewhere: others, holders }: PieceState): Cause {
  if (trouble === 'given-up') {
    const [other] = others
    const also = other === undefined ? '' : ` ${plural(others.length, 'peer has', 'peers have')} given it up as well.`
    const cause = givenUpCause(now, failure ?? other ?? null, 'it')
    return { ...cause, sentence: `Piece ${index}: ${cause.sentence}${also}` }
  }
  if (trouble === 'left') return { code: 'left-out', sentence: `Piece ${index} is not computed here, because only some pieces were asked for; it is left to other peers.` }
  if (trouble === 'retry') return { code: 'retry', sentence: `Piece ${index} failed here, and is tried again in a moment: ${sentence(failure?.message ?? 'the command failed.')}` }
  if (isWaiting) {
    const input = inputCause(now)
    return { code: input?.code ?? 'input', isStuck: input?.isStuck ?? false, sentence: `Piece ${index}: ${input?.sentence ?? 'it waits for its slice of the input, which comes when its turn comes.'}` }
  }
  const slots = now.slots === 0 ? '' : `: ${now.running} of ${plural(now.slots, 'slot is', 'slots are')} busy`
  const held = holders === 0 ? '' : ` ${plural(holders, 'peer says that it has', 'peers say that they have')} it, and did not deliver it in time.`
  return { code: 'ready', sentence: `Piece ${index} is next in line, and starts when it is its turn${slots}.${held}` }
}

function detailsOf ({ piece, inputs, held }: Situation, code: ExplainCode): string[] {
  const failed = piece?.elsewhere.map(({ peer = 'a peer', message }) => `${peer} gave it up: ${message}`) ?? []
  const waiting = code === 'input' ? inputs.filter(({ state }) => state === 'fetching').slice(1).map(inputWords) : []
  return [...failed, ...waiting, ...held.slice(1).map(({ reason }) => `also: ${reason}`)]
}

/** With a full stop at its end. */
function sentence (text: string): string { return /[.!?…]$/.test(text) ? text : `${text}.` }
