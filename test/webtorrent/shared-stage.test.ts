// A task whose output others read: what they leave behind in the client when they end.
import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import test from 'tape'
import type { Test } from 'tape'
import type { OutputInput } from '../../lib/task/types.ts'
import { TaskInputs } from '../../lib/webtorrent/input-torrents.ts'
import type { ParentTorrent } from '../../lib/webtorrent/input-types.ts'
import { createFolder } from '../helpers/disk.ts'

const INPUT: OutputInput = { name: 'in', length: 4, task: { infoHash: 'a'.repeat(40), digest: new Uint8Array(32) } }
const SILENT = { opened () {}, changed () {}, lost () {}, failed () {} }

/** A torrent that somebody else has added to the client. */
class Known extends EventEmitter {
  readonly infoHash = INPUT.task.infoHash
  readonly destroyed = false
  readonly metadata = null
  readonly pieces = []
  readonly task = null
  readonly ready = false

  get listening (): number { return this.eventNames().reduce((sum, event) => sum + this.listenerCount(event), 0) }
}

class Parent extends EventEmitter {
  client: object | null
  readonly infoHash: string
  readonly announce = []
  readonly wires = []
  readonly _options = {}

  constructor (known: Known, infoHash: string) {
    super()
    this.client = { torrents: [known], destroyed: false }
    this.infoHash = infoHash
  }
}

class CountedInputs extends TaskInputs {
  opened = 0

  override openStage (...args: Parameters<TaskInputs['openStage']>): { close (): void } {
    this.opened++
    return super.openStage(...args)
  }
}

function inputsOf (t: Test, parent: Parent): CountedInputs {
  return new CountedInputs(parent as unknown as ParentTorrent, { folder: createFolder(t), registry: createFolder(t) })
}

test('tasks that have ended leave no listeners on a torrent that stays', async t => {
  const known = new Known()
  for (const name of ['b', 'c', 'd']) {
    const inputs = inputsOf(t, new Parent(known, name.repeat(40)))
    const opened = inputs.openStage(INPUT, 1, SILENT)
    t.deepEqual(await inputs.stages([INPUT], 1), [known])
    t.ok(known.listening > 0)
    opened.close()
    await inputs.close()
    t.equal(known.listening, 0)
  }
})

test('whoever asks for the tasks again and again opens them once', async t => {
  const inputs = inputsOf(t, new Parent(new Known(), 'b'.repeat(40)))
  for (let i = 0; i < 5; i++) t.equal((await inputs.stages([INPUT], 1)).length, 1)
  t.equal(inputs.opened, 1)
  await inputs.close()
})

test('a task that ends while its stage is opened takes nothing from the others', async t => {
  const known = new Known()
  const [first, second] = [new Parent(known, 'b'.repeat(40)), new Parent(known, 'c'.repeat(40))]
  second.client = first.client
  const told: string[] = []
  for (const parent of [first, second]) parent.on('stage', () => { told.push(parent.infoHash[0]!) })
  const [one, two] = [inputsOf(t, first), inputsOf(t, second)]
  const failures: Error[] = []
  const opened = one.openStage(INPUT, 1, SILENT)
  two.openStage(INPUT, 1, { ...SILENT, failed: err => { failures.push(err) } })
  opened.close()
  // as WebTorrent does when it is destroyed
  first.client = null
  t.deepEqual(await two.stages([INPUT], 1), [known])
  await setImmediate()
  t.deepEqual([failures, told], [[], ['c']])
})
