/**
 * What the page knows of the task that it shows, as signals. States of pieces are one array that changes in place;
 * `statesVersion` and `copiesVersion` say that it has.
 */
import { signal } from '@preact/signals'
import type { Run } from '../piece-states.ts'
import type { MessageView, PeerView, RatePoint, TaskLive, TaskSummary, TaskView, WorkView } from '../snapshot.ts'
import { announcement } from './words.ts'
import { KINDS } from './states.ts'

/** 'refused': the token is wrong; 'lost': the client does not answer; 'ended': it has said goodbye. */
export type Link = 'connecting' | 'open' | 'lost' | 'ended' | 'refused'

/** An hour of points, even if the server sends one a second. */
const MAX_POINTS = 3600
const MAX_MESSAGES = 100

export const link = signal<Link>('connecting')
export const tasks = signal<TaskSummary[]>([])
export const task = signal<TaskView | null>(null)
export const live = signal<TaskLive | null>(null)
export const work = signal<WorkView>({ running: [], ended: [] })
export const peers = signal<PeerView[]>([])
export const points = signal<RatePoint[]>([])
export const messages = signal<MessageView[]>([])
export const counts = signal<number[]>(Array.from({ length: KINDS }, () => 0))
export const statesVersion = signal(0)
export const copiesVersion = signal(0)
/** the piece whose panel is open */
export const selected = signal<number | null>(null)
export const isMapOpen = signal(false)
/** the index of the file whose preview is open */
export const previewed = signal<number | null>(null)
/** what the live region says */
export const spoken = signal('')
/** what the last action was answered by, if it was refused */
export const problem = signal<string | null>(null)

let states = new Uint8Array()
let copies = new Uint8Array()

export const statesNow = (): Uint8Array => states
export const copiesNow = (): Uint8Array => copies

/** All states, as they were fetched. */
export function setStates (codes: Uint8Array<ArrayBuffer>): void {
  states = codes
  const tally = Array.from({ length: KINDS }, () => 0)
  for (const code of codes) tally[code]!++
  counts.value = tally
  statesVersion.value++
}

export function setCopies (numbers: Uint8Array<ArrayBuffer>): void {
  copies = numbers
  copiesVersion.value++
}

/** Changes of states; the counts follow without counting all again. */
export function applyRuns (runs: readonly Run[]): void {
  const tally = [...counts.value]
  for (const [first, count, code] of runs) {
    const end = Math.min(first + count, states.length)
    for (let piece = first; piece < end; piece++) {
      tally[states[piece]!]!--
      tally[code]!++
      states[piece] = code
    }
  }
  counts.value = tally
  statesVersion.value++
}

export function setLive (next: TaskLive): void {
  const before = live.value
  live.value = next
  if (before === null) return
  const said = next.done && !before.done
    ? 'The task is done'
    : announcement(before.pieces.stored, next.pieces.stored, next.pieces.pieces)
  if (said !== null) spoken.value = said
}

export function addPoints (added: readonly RatePoint[], isFirst: boolean): void {
  points.value = [...(isFirst ? [] : points.value), ...added].slice(-MAX_POINTS)
}

export function addMessages (added: readonly MessageView[], isFirst: boolean): void {
  const failure = isFirst ? undefined : added.findLast(({ kind }) => kind === 'failure')
  if (failure !== undefined) spoken.value = failure.text
  messages.value = [...(isFirst ? [] : messages.value), ...added].slice(-MAX_MESSAGES)
}

/** Another task: nothing is known of it yet. */
export function forget (): void {
  task.value = null
  live.value = null
  work.value = { running: [], ended: [] }
  peers.value = []
  points.value = []
  messages.value = []
  selected.value = null
  previewed.value = null
  problem.value = null
  setStates(new Uint8Array())
  setCopies(new Uint8Array())
}
