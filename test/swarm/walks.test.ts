// Nothing walks all pieces on every message: what is looked up is counted, not the time that it takes.
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import test from 'tape'
import BitField from 'bitfield'
import { createTask } from '../../lib/index.ts'
import { PeerResults, ResultTable } from '../../lib/results/result-table.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer } from '../helpers/task-swarm.ts'

/** Counts calls of these methods until `restore`. */
function count<T extends object> (
  prototype: T, names: ReadonlyArray<keyof T & string>, counts: Map<string, number>
): () => void {
  const before = names.map(name => Object.getOwnPropertyDescriptor(prototype, name)!)
  for (const [i, name] of names.entries()) {
    const method = before[i]!.value as (...args: unknown[]) => unknown
    Object.defineProperty(prototype, name, {
      ...before[i],
      value: function (this: T, ...args: unknown[]): unknown {
        counts.set(name, (counts.get(name) ?? 0) + 1)
        return method.apply(this, args)
      }
    })
  }
  return () => {
    for (const [i, name] of names.entries()) Object.defineProperty(prototype, name, before[i]!)
  }
}

const PIECES = 500
/** A walk over all pieces for each of them would be as many as there are pieces. */
const MOST_A_PIECE = PIECES / 5

test('two peers compute a task, and a third one gets it', async t => {
  const task = createTask({ name: 'squares.txt', command: 'echo $PIECE_IDX', parts: PIECES, pieceLength: 64 })
  const peers = await Promise.all([1, 2, 3].map(() => createPeer(t, task, { verify: 'off' })))
  const counts = new Map<string, number>()
  const restore = [
    count(BitField.prototype as { get: unknown, set: unknown }, ['get', 'set'], counts),
    count(PeerResults.prototype, ['holds', 'result', 'announce', 'setHave', 'forget'], counts),
    count(ResultTable.prototype, ['has', 'own', 'ownSize'], counts),
    count(Scheduler.prototype, ['isMissing', 'isWanted', 'update', 'setMissing', 'setWanted', 'next'], counts)
  ]
  t.teardown(() => { for (const undo of restore) undo() })
  await connect(...peers)
  // without processes: how long it takes is the machine's
  for (const { torrent } of peers.slice(0, 2)) {
    torrent.startComputing({ slots: 1, executor: new FakeExecutor(({ env }) => ({ stdout: `${env['PIECE_IDX']}\n` })) })
  }
  await allDone(peers)
  t.ok(counts.get('setHave')! >= PIECES, 'there was something to count')
  for (const [name, calls] of counts) {
    t.ok(calls < MOST_A_PIECE * PIECES, `${name}: ${(calls / PIECES).toFixed(1)} a piece, three peers together`)
  }
})

test('a thousand selections in one turn are one look at all pieces', async t => {
  const task = createTask({ name: 'many.txt', command: 'echo $PIECE_IDX', parts: 1000, pieceLength: 64 })
  const { torrent } = await createPeer(t, task, { deselect: true })
  if (!torrent.ready) await once(torrent, 'ready')
  const counts = new Map<string, number>()
  t.teardown(count(Scheduler.prototype, ['setWanted'], counts))
  for (let index = 0; index < 1000; index += 2) torrent.select(index, index)
  await setImmediate()
  t.equal(counts.get('setWanted'), 1000)
})
