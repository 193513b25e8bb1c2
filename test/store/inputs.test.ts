// What work items and complete commands are given of a task's inputs.
import { EventEmitter, once } from 'node:events'
import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Executor, WorkItem } from '../../lib/executor/bash-executor.ts'
import type { Given } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'
import { createFolder, rejection } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { createStore, openStore, squares } from '../helpers/stores.ts'

const forFile = async (): Promise<Given> => ({ files: [] })

/** An executor as one with a sandbox, or without, and the links that commands found in their folders. */
function executorWith (scratch: string | undefined): { executor: Executor, items: WorkItem[], links: string[] } {
  const links: string[] = []
  const fake = new FakeExecutor(({ cwd, env }) => {
    for (const name of ['tool', 'frames/7.png']) {
      try { links.push(readlinkSync(path.join(cwd, name))) } catch {}
    }
    // a work item's is a name in the task
    if (path.isAbsolute(env['FILE'] ?? '') && scratch === undefined) writeFileSync(env['FILE']!, 'complete')
    return { stdout: env['INPUT'] ?? '' }
  })
  const executor: Executor = {
    scratch,
    run: item => fake.run(item),
    prepare: (item, count) => { fake.prepare(item, count) },
    close: async () => fake.close()
  }
  return { executor, items: fake.items, links }
}

test('a work item sees the inputs of its piece', async t => {
  const given: Given = {
    files: [{ path: '/cache/tool', name: 'tool' }, { path: '/cache/7.png', name: 'frames/7.png' }],
    env: { INPUT: 'frames/7.png', PIECE_IDX: '3' },
    stdin: '/cache/7.png'
  }
  for (const scratch of ['/scratch', undefined]) {
    const { executor, items, links } = executorWith(scratch)
    let givenBack = 0
    const store = await openStore(t, squares(), createFolder(t), { executor })
    store.configure({
      inputs: {
        forPiece: async piece => ({ ...given, env: { INPUT: `frames/${piece}.png` }, giveBack: () => { givenBack++ } }),
        forFile: async () => ({ files: [] })
      }
    })
    store.prepare(executor, 2)
    const { size } = await store.generate(3).done
    t.equal(size, 'frames/3.png'.length)
    const [item] = items
    t.equal(item!.stdin, '/cache/7.png', 'standard input')
    t.equal(item!.env['PIECE_IDX'], '3', 'beside its own variables')
    t.deepEqual(item!.mounts, [
      { path: '/cache/tool', at: '/scratch/tool' }, { path: '/cache/7.png', at: '/scratch/frames/7.png' }
    ])
    t.deepEqual(links, scratch === undefined ? ['/cache/tool', '/cache/7.png'] : [], 'links where nothing is mounted')
    t.equal(givenBack, 1)
    store.configure({
      inputs: { forPiece: async () => { throw new Error('gone') }, forFile: async () => ({ files: [] }) }
    })
    t.equal((await rejection(store.generate(4).done)).message, 'gone')
    store.configure({ inputs: { forPiece: async () => ({ files: [], isIntact: async () => false }), forFile } })
    t.equal((await rejection(store.generate(4).done)).code, 'BW_ERR_INPUT', 'what it read was changed meanwhile')
    t.notOk(await store.verify(4), 'and nothing is stored')
    const looking = new EventEmitter()
    const looked = once(looking, 'end').then(() => false)
    store.configure({ inputs: { forPiece: async () => ({ files: [], isIntact: async () => looked }), forFile } })
    const checked = store.generate(4)
    await checked.ended // its slot is free while its inputs are looked at
    looking.emit('end')
    t.equal((await rejection(checked.done)).code, 'BW_ERR_INPUT')
    const endless = new Promise<boolean>(() => {})
    store.configure({ inputs: { forPiece: async () => ({ files: [], isIntact: async () => endless }), forFile } })
    const held = store.generate(4)
    await held.ended
    held.kill()
    t.equal((await rejection(held.done)).code, 'BW_ERR_COMMAND_KILLED', 'whoever stops does not wait for that')
    items.pop()
    items.pop()
    items.pop()
    const arrivals: Array<(given: Given) => void> = []
    store.configure({
      inputs: {
        forPiece: async () => new Promise(resolve => { arrivals.push(resolve) }), forFile: async () => ({ files: [] })
      }
    })
    const killed = store.generate(5)
    killed.kill()
    arrivals[0]!({ files: [], giveBack: () => { givenBack++ } })
    t.equal((await rejection(killed.done)).code, 'BW_ERR_COMMAND_KILLED', 'killed before it began')
    t.deepEqual([items.length, givenBack], [1, 2])
  }
})

test('a complete command sees the whole inputs', async t => {
  const { executor, items, links } = executorWith(undefined)
  const task = createTask({ name: 'x', command: 'echo', completeCommand: 'cat $PART_LIST > $FILE', parts: 1 })
  const folder = createFolder(t)
  const store = await openStore(t, task, folder, { executor })
  let givenBack = 0
  store.configure({
    inputs: {
      forPiece: async () => ({ files: [] }),
      forFile: async () => ({ files: [{ path: '/cache/tool', name: 'tool' }], giveBack: () => { givenBack++ } })
    }
  })
  await store.generate(0).done
  await store.finishFile(0, { run: true })
  t.equal(readFileSync(path.join(folder, 'x'), 'utf8'), 'complete')
  t.deepEqual(links, ['/cache/tool'])
  t.deepEqual(items[1]!.mounts![0], { path: '/cache/tool', at: '/scratch/tool' })
  t.equal(givenBack, 1)
})

test('a bind must not have the name of an input', t => {
  const folder = createFolder(t)
  t.ok(statSync(folder))
  const task = createTask({
    name: 'x', command: 'echo', parts: 1, inputs: [{ name: 'tool', data: new TextEncoder().encode('x') }]
  })
  t.throws(
    () => createStore(t, task, folder, { binds: [{ path: folder, name: 'tool' }] }), /reserved for an input/, 'BW_ERR_BIND'
  )
  t.ok(createStore(t, task, folder, { binds: [{ path: folder, name: 'other' }] }))
  t.end()
})
