/**
 * The page's side of snapshot.ts: fetches, follows the stream of events, asks for actions. While nobody looks at the
 * page, it is not connected.
 */
import { PIECES_VERSION_HEADER, unpackStates } from '../piece-states.ts'
import type {
  Action, ActionAnswer, MessageView, PageEvents, PiecesDelta, PieceView, Problem, TaskList, TaskView
} from '../snapshot.ts'
import { EventReader } from './stream.ts'
import type { StreamEvent } from './stream.ts'
import * as store from './store.ts'

/** A hidden page lets go after so long: somebody who changes between tabs does not start anew each time. */
const HIDDEN_MS = 60_000
const COPIES_MS = 20_000
const MAX_WAIT_MS = 10_000

const token = (): string => location.hash.slice(1)

/** A refusal, in the words of the server. */
class Refusal extends Error {
  readonly status: number
  constructor (status: number, message: string) {
    super(message)
    this.status = status
  }
}

async function ask (path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('authorization', `Bearer ${token()}`)
  const answer = await fetch(path, { ...init, headers, cache: 'no-store' })
  if (answer.ok) return answer
  const said = await answer.json().catch(() => null) as Problem | null
  throw new Refusal(answer.status, said?.error.message ?? `The client answered with status ${answer.status}.`)
}

const pathOf = (infoHash: string): string => `/api/task/${infoHash}`

/** The piece as it is now; null if it cannot be had. */
export async function fetchPiece (piece: number): Promise<PieceView | null> {
  const infoHash = store.task.value?.infoHash
  if (infoHash === undefined) return null
  return await ask(`${pathOf(infoHash)}/piece/${piece}`).then(async answer => await answer.json() as PieceView, () => null)
}

/** Asks for an action; what is refused is shown to the user. */
export async function act (action: Action): Promise<ActionAnswer | null> {
  const infoHash = store.task.value?.infoHash
  if (infoHash === undefined) return null
  store.problem.value = null
  try {
    const headers = { 'content-type': 'application/json' }
    const answer = await ask(pathOf(infoHash), { method: 'POST', headers, body: JSON.stringify(action) })
    const said = await answer.json() as ActionAnswer
    store.setLive(said.live)
    return said
  } catch (error) {
    store.problem.value = error instanceof Error ? error.message : String(error)
    return null
  }
}

/** Follows one task until it is aborted, or the stream ends. */
class Following {
  readonly #infoHash: string
  readonly #abort = new AbortController()
  /** deltas that came before the states; null: the states are there */
  #early: PiecesDelta[] | null = []
  #version = -1
  #hasRates = false
  #hasMessages = false
  #copiesTimer: ReturnType<typeof setInterval> | undefined
  hasEnded = false

  constructor (infoHash: string) { this.#infoHash = infoHash }

  stop (): void { this.#abort.abort() }

  async run (): Promise<void> {
    try {
      const { signal } = this.#abort
      const answer = await ask(`${pathOf(this.#infoHash)}/events`, { signal })
      store.link.value = 'open'
      const events = new EventReader()
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        for (const event of events.push(part.value)) this.#take(event)
      }
    } finally {
      clearInterval(this.#copiesTimer)
      this.stop()
    }
  }

  #take ({ name, data }: StreamEvent): void {
    const taken = this.#handlers[name as keyof PageEvents] as ((value: unknown) => void) | undefined
    taken?.(JSON.parse(data))
  }

  readonly #handlers: { [Name in keyof PageEvents]: (value: PageEvents[Name]) => void } = {
    task: value => this.#begin(value),
    live: value => { store.setLive(value) },
    pieces: value => {
      if (this.#early !== null) this.#early.push(value)
      else if (value.version > this.#version) store.applyRuns(value.runs)
    },
    reload: () => { void this.#fetchStates() },
    work: value => { store.work.value = value },
    peers: value => { store.peers.value = value },
    rates: value => {
      store.addPoints(value.points, !this.#hasRates)
      this.#hasRates = true
    },
    messages: (value: MessageView[]) => {
      store.addMessages(value, !this.#hasMessages)
      this.#hasMessages = true
    },
    end: ({ done }) => {
      this.hasEnded = true
      store.spoken.value = done ? 'The task is done, and the client has ended' : 'The client has ended'
    }
  }

  #begin (value: TaskView): void {
    store.task.value = value
    store.setLive(value.live)
    void this.#fetchStates()
    void this.#fetchCopies()
    clearInterval(this.#copiesTimer)
    this.#copiesTimer = setInterval(() => { void this.#fetchCopies() }, COPIES_MS)
  }

  async #fetchStates (): Promise<void> {
    this.#early ??= []
    const codes = await this.#packed('pieces')
    if (codes === null) return
    const early = this.#early ?? []
    this.#version = codes.version
    this.#early = null
    store.setStates(codes.codes)
    for (const { version, runs } of early) if (version > this.#version) store.applyRuns(runs)
  }

  async #fetchCopies (): Promise<void> {
    const numbers = await this.#packed('copies')
    if (numbers !== null) store.setCopies(numbers.codes)
  }

  /** null: it could not be had; the stream fails as well then, and all begins anew. */
  async #packed (what: 'pieces' | 'copies'): Promise<{ codes: Uint8Array<ArrayBuffer>, version: number } | null> {
    const count = store.task.value!.pieces.pieces
    try {
      const answer = await ask(`${pathOf(this.#infoHash)}/${what}`, { signal: this.#abort.signal })
      const packed = new Uint8Array(await answer.arrayBuffer())
      return { codes: unpackStates(packed, count), version: Number(answer.headers.get(PIECES_VERSION_HEADER) ?? 0) }
    } catch {
      this.stop()
      return null
    }
  }
}

let following: Following | null = null
/** of the task that the user has chosen */
let wanted: string | null = null
let wake: (() => void) | null = null

/** Shows another task of this client. */
export function show (infoHash: string): void {
  if (infoHash === store.task.value?.infoHash) return
  wanted = infoHash
  store.forget()
  store.link.value = 'connecting'
  following?.stop()
  wake?.()
}

async function pause (ms: number): Promise<void> {
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, ms)
    wake = () => { clearTimeout(timer); resolve() }
  })
  wake = null
}

async function untilVisible (): Promise<void> {
  if (!document.hidden) return
  await new Promise<void>(resolve => {
    const look = (): void => {
      if (document.hidden) return
      document.removeEventListener('visibilitychange', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
  })
}

/** One connection; false: it will never be better. */
async function once (): Promise<boolean> {
  const { tasks } = await ask('/api/tasks').then(async answer => await answer.json() as TaskList)
  store.tasks.value = tasks
  const chosen = tasks.find(({ infoHash }) => infoHash === wanted) ?? tasks.find(each => each.neededBy === null)
  const shown = chosen ?? tasks[0]
  if (shown === undefined) {
    store.link.value = 'connecting'
    return true
  }
  following = new Following(shown.infoHash)
  const current = following
  await current.run().catch((error: unknown) => { if (!current.hasEnded) throw error })
  if (current.hasEnded) store.link.value = 'ended'
  return !current.hasEnded
}

/** Connects, and again whenever it has to. */
export async function connect (): Promise<void> {
  let hiding: ReturnType<typeof setTimeout> | undefined
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(() => { following?.stop() }, HIDDEN_MS)
  })
  for (let wait = 500; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    await untilVisible()
    const before = wanted
    try {
      if (!await once()) return
    } catch (error) {
      if (error instanceof Refusal && (error.status === 401 || error.status === 403)) {
        store.link.value = 'refused'
        return
      }
      // the user has asked for it
      if (wanted !== before || document.hidden) { wait = 250; continue }
    }
    if (store.link.value === 'open') {
      store.link.value = 'lost'
      wait = 500
    }
    await pause(wait)
  }
}
