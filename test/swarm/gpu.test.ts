// Tasks that need a GPU: who computes them, and what their commands find. A file takes the place of a device node.
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { findGpus } from '../../lib/executor/sandbox/gpu.ts'
import { createTask } from '../../lib/index.ts'
import type { BitWorkerError } from '../../lib/base/errors.ts'
import type { Task } from '../../lib/task/types.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { createFolder, rejection } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { createClient } from '../helpers/swarm.ts'
import { allDone, connect, createPeer } from '../helpers/task-swarm.ts'

/** What the machine of the test has, if nobody hands in anything. */
const HAS_GPU = findGpus().length > 0

function taskWith (node: string, gpu: boolean): Task {
  const command = `cat '${node}' 2> /dev/null || echo none`
  return createTask({ name: 'x', command, completeCommand: `{ cat $PART_LIST; ${command}; } > "$FILE"`, parts: 2, pieceLength: 64, needs: { gpu } })
}

test('a task uses a GPU if the user allows it, and only if it says that it needs one', async t => {
  const node = path.join(createFolder(t), 'gpu')
  writeFileSync(node, 'used\n')
  chmodSync(node, 0o666)
  for (const [needs, text] of [[true, 'used\n'], [false, 'none\n']] as const) {
    const peer = await createPeer(t, taskWith(node, needs), { compute: { gpu: [node] } })
    await allDone([peer])
    t.equal(readFileSync(path.join(peer.path, 'x'), 'utf8'), text.repeat(3), needs ? 'pieces, and the complete command' : 'not otherwise')
  }
})

test('who does not allow it, or has none, only downloads', async t => {
  const node = path.join(createFolder(t), 'gpu')
  writeFileSync(node, '')
  const task = taskWith(node, true)
  const executor = new FakeExecutor(() => ({ stdout: 'x' }))
  const warned = async (gpu?: boolean | string[]): Promise<[string | undefined, string]> => {
    const compute = { executor, ...(gpu !== undefined && { gpu }) }
    const torrent = createClient(t).add(task, { path: createFolder(t), compute })
    const [err] = await once(torrent, 'warning') as [BitWorkerError]
    t.equal(err.code, 'BW_ERR_NEEDS')
    return [err.remedy, err.message]
  }
  const NONE = /this machine has none that is known/
  t.match((await warned([]))[1], NONE)
  for (const gpu of [undefined, false] as const) {
    const [remedy, message] = await warned(gpu)
    t.match(message, HAS_GPU ? /without your permission nothing is computed here, only downloaded/ : NONE)
    t.equal(remedy, HAS_GPU ? 'allow-gpu' : undefined)
  }
  t.equal(executor.items.length, 0, 'and nothing was run')
  const failing = new FakeExecutor(() => ({ exitCode: 1 }))
  const torrent = createClient(t).add(task, { path: createFolder(t), compute: { executor: failing, gpu: [node] } })
  const [err] = await once(torrent, 'warning') as [BitWorkerError]
  t.match(err.message, /lacks what the task needs: a GPU that commands may open/, 'a node that nobody may open is none')

  const whole = createTask({ name: 'y', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 64, needs: { gpu: true } })
  const able = await createPeer(t, whole, { compute: { gpu: [node], sandbox: 'none' } })
  const other = await createPeer(t, whole)
  await connect(able, other)
  await allDone([able, other])
  t.deepEqual(other.downloaded.toSorted((a, b) => a - b), [0, 1], 'without a sandbox it is computed as well')
})

test('gpu of another form', async t => {
  const torrent = createClient(t).add(createTask({ name: 'x', command: 'true', parts: 1 }), { path: createFolder(t) })
  for (const gpu of [1, 'all', ['nvidia0'], [1], ['/dev/\0']] as unknown as boolean[]) {
    const err = await rejection((async () => { torrent.startComputing({ gpu }) })())
    t.equal(err.code, 'BW_ERR_COMPUTE_OPTIONS', JSON.stringify(gpu))
  }
})

test('on the command line', async t => {
  const { run } = await workspace(t)
  const made = await run(['create', '--no-try', '--piece-length', '64', '--parts', '1', '--json', '--command', 'true', '--name', 'x', '--gpu', '--need-cpus', '2'])
  t.equal(made.code, 0, made.stderr)
  t.same(made.events[0]?.['needs'], { cpus: 2, gpu: true })
  t.match((await run(['info', 'x.bitworker'])).stdout, /^ {2}it needs {4}2 processors, a GPU$/m)
  const says = HAS_GPU ? /needs a GPU, .*Run it again with --gpu to let it use yours\.$/m : /needs a GPU, and this machine has none/
  // without --yes: what cannot run needs no consent
  const alone = await run(['run', 'x.bitworker', '-o', 'a', '--exit', '--json', ...OFFLINE])
  t.match(alone.stderr, says)
  t.same(alone.events.filter(({ event }) => event === 'computing'), [])
  t.equal(alone.events.filter(({ event, code }) => event === 'warning' && code === 'BW_ERR_NEEDS').length, 1)
  const tried = await run(['try', 'x.bitworker', '--yes', '--json'])
  t.same([tried.code, tried.events.find(({ event }) => event === 'error')?.['code']], [2, 'BW_ERR_NEEDS'])
  t.match(tried.stderr, says)
})
