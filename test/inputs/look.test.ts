// Inputs on this machine that a user names.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { lookIn } from '../../lib/inputs/look.ts'
import { createTaskFrom } from '../../lib/inputs/make-task.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

test('an input with the same content is found, whoever made the task', async t => {
  const [home, registry] = [createFolder(t), createFolder(t)]
  const folder = path.join(home, 'frames')
  mkdirSync(folder)
  for (const name of ['a', 'b']) writeFileSync(path.join(folder, name), name.repeat(100_000))
  for (const isPrivate of [false, true]) {
    const task = await createTaskFrom({
      name: 'x', command: 'true', parts: 1, private: isPrivate, announce: ['http://127.0.0.1/'], inputs: [{ path: folder }], registry
    })
    const { infoHash = '' } = task.inputs![0]!
    const found = await lookIn([folder])(infoHash)
    t.equal(found?.path, folder, isPrivate ? 'of a private task' : 'of any task')
    t.deepEqual(found?.files?.map(({ length }) => length), [100_000, 100_000])
  }
  t.equal(await lookIn([folder])('0'.repeat(40)), null, 'anything else is not')
  t.equal((await rejection(lookIn([path.join(home, 'no')])('0'.repeat(40)))).code, 'BW_ERR_NOT_FOUND')
})
