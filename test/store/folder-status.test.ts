import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import { folderStatus } from '../../lib/store/folder-status.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, createPeer } from '../helpers/task-swarm.ts'

const task = createTask({
  name: 'out', command: 'echo "part $PIECE_IDX"', files: [{ path: 'a', parts: 2 }, { path: 'b', parts: 1 }], pieceLength: 64
})

test('how far a task is in a folder', async t => {
  const folder = createFolder(t)
  t.deepEqual(folderStatus(task, folder), { pieces: 3, stored: 0, bytes: 0, files: 2, finished: 0 }, 'nothing is there')
  const executor = new FakeExecutor(({ env }) => ({ stdout: `part ${env['PIECE_IDX']}\n` }))
  const peer = await createPeer(t, task, { path: folder, compute: { executor } })
  await allDone([peer])
  const done = { pieces: 3, stored: 3, bytes: 21, files: 2, finished: 2 }
  t.deepEqual(folderStatus(task, folder), done, 'while it is open')
  rmSync(path.join(folder, 'out/a'))
  t.deepEqual(folderStatus(task, folder), { ...done, stored: 1, bytes: 7, finished: 1 }, 'a file is gone')
  writeFileSync(path.join(folder, 'out/b'), 'another')
  t.deepEqual(folderStatus(task, folder).stored, 1, 'only sizes are compared')
  writeFileSync(path.join(folder, 'out/b'), 'another length')
  t.deepEqual(folderStatus(task, folder).stored, 0)
})
