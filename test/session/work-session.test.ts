// A session on its own: what it is handed stands in for the store, the clock and the downloads.
import test from 'tape'
import { SimulatedStore } from '../../bench/simulator/store.ts'
import type { Clock } from '../../lib/base/clock.ts'
import { CommandError } from '../../lib/base/errors.ts'
import type { SessionParts } from '../../lib/session/session-parts.ts'
import { WorkSession } from '../../lib/session/work-session.ts'
import type { Generated, Generation } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'
import { NO_DOWNLOADS } from '../helpers/no-downloads.ts'

const task = createTask({ name: 'out', command: 'true', parts: 2, pieceLength: 64 })
const RESULT = { size: 1, digest: new Uint8Array(32), ms: 5, stderr: '' }

/** A work item in the hands of a test. */
class Item implements Generation {
  readonly piece: number
  readonly ended: Promise<void>
  readonly done: Promise<Generated>
  commandEnds!: () => void
  isStored!: (generated: Generated) => void
  fails!: (err: Error) => void

  constructor (piece: number) {
    this.piece = piece
    this.ended = new Promise(resolve => { this.commandEnds = resolve })
    this.done = new Promise((resolve, reject) => {
      this.isStored = resolve
      this.fails = reject
    })
  }

  kill (): void {
    this.fails(
      new CommandError('BW_ERR_COMMAND_KILLED', 'It was killed.', { exitCode: null, signal: 'SIGKILL', stderr: '' })
    )
    this.commandEnds()
  }

  pause (): void {}

  resume (): void {}
}

/** The timers that are set. */
class Timers {
  readonly set = new Set<() => void>()
  now (): number { return 0 }
  after (_ms: number, callback: () => void): () => void {
    this.set.add(callback)
    return () => { this.set.delete(callback) }
  }
}

function partsOf (store: SimulatedStore, clock: Clock, downloads = NO_DOWNLOADS): SessionParts {
  return { store, clock, peerId: new Uint8Array(20), random: () => 0.5, lag: () => 0, createDownloads: () => downloads }
}

const turn = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const HOST = {
  report () {},
  stored () {},
  lost () {},
  fileFinished () {},
  done () {},
  ban () {},
  warn () {},
  ended () {},
  broken () {}
}

test('an item that is stopped and ends in the next round is reported as begun and ended', async t => {
  const items: Item[] = []
  const events: string[] = []
  const store = new SimulatedStore(index => {
    const item = new Item(index)
    items.push(item)
    return item
  })
  const report = (event: string, payload: object): void => {
    if ('piece' in payload) events.push(`${event} ${items.findIndex(({ piece }) => piece === payload.piece)}`)
  }
  const session = new WorkSession(task, partsOf(store, new Timers()), { ...HOST, report })
  await session.open()
  session.startComputing(1, null)
  items[0]!.commandEnds() // its piece is being stored: the slot is free
  await turn()
  t.same([items.length, events], [2, ['computing 0']], 'the next one runs, and is not told yet')
  const stopped = session.stopComputing()
  session.startComputing(1, null)
  items[0]!.isStored(RESULT)
  await stopped
  t.same(events.slice(0, 4), ['computing 0', 'aborted 0', 'computing 1', 'aborted 1'], 'each begins, and ends once')
  await session.close(null)
  t.end()
})

test('a session that is closed while it tidies up leaves no timer', async t => {
  const timers = new Timers()
  const hasten = (): void => { void session.close(null) }
  const parts = partsOf(new SimulatedStore(index => new Item(index)), timers, { ...NO_DOWNLOADS, hasten })
  const session: WorkSession = new WorkSession(task, parts, HOST)
  t.equal(timers.set.size, 1)
  const [due] = timers.set
  timers.set.delete(due!)
  due!()
  t.equal(timers.set.size, 0)
  t.end()
})
