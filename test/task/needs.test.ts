// What a machine must have: read strictly, written as it was given.
import test from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { createTask, encodeTask, parseTask } from '../../lib/task/task.ts'
import type { TaskNeeds } from '../../lib/task/task.ts'

const OPTIONS = { name: 'x', command: 'true', parts: 1 }
const NEEDS: TaskNeeds = { tools: ['ffmpeg', 'g++', 'python3.12'], commands: ['python3 -c "import os"'], cpus: 8, arch: ['x86_64', 'aarch64'], gpu: true }

function read (needs: Encodable): TaskNeeds | undefined {
  const bitworker = { command: 'true', version: 2, needs }
  return parseTask(encode({ info: { bitworker, length: 8, name: 'x', 'piece length': 4 } })).needs
}

test('needs are kept', t => {
  const task = createTask({ ...OPTIONS, needs: NEEDS })
  t.deepEqual(task.needs, NEEDS)
  t.deepEqual(parseTask(encodeTask(task)).needs, NEEDS)
  t.equal(task.unsupported, undefined)
  for (const none of [undefined, {}, { tools: [], arch: [], gpu: false }]) {
    t.equal(createTask({ ...OPTIONS, ...(none !== undefined && { needs: none }) }).infoHash, createTask(OPTIONS).infoHash, 'none is none')
  }
  t.end()
})

test('needs of another form', t => {
  const wrong: Encodable[] = [
    1, [], '', { tools: 'a' }, { tools: [] }, { tools: [1] }, { tools: Array.from({ length: 65 }, (_, i) => `t${i}`) },
    ...['', '-v', 'a b', 'a/b', '../a', 'a;b', '$(a)', 'a\n', 'é', 'a'.repeat(65)].map(tool => ({ tools: [tool] })),
    { commands: [''] }, { commands: [' \n'] }, { commands: ['a\0'] }, { commands: ['a'.repeat(4097)] },
    { commands: [Uint8Array.of(0xff)] }, { commands: Array.from({ length: 17 }, () => 'a') },
    { cpus: 0 }, { cpus: -1 }, { cpus: 4097 }, { cpus: '8' }, { arch: ['X86'] }, { arch: [''] }, { arch: 'x86_64' },
    { gpu: 0 }, { gpu: 2 }, { gpu: '1' }, { gpu: [] }
  ]
  for (const needs of wrong) t.throws(() => read(needs), /BW_ERR_TASK_NEEDS|The task has/, JSON.stringify(needs).slice(0, 60))
  t.throws(() => createTask({ ...OPTIONS, needs: { tools: 'ffmpeg' as unknown as string[] } }), /needs\.tools must be a list/)
  t.throws(() => createTask({ ...OPTIONS, needs: { cpus: 1.5 } }), /needs\.cpus must be a whole number/)
  t.throws(() => createTask({ ...OPTIONS, needs: { gpu: 1 as unknown as boolean } }), /needs\.gpu must be true or false/)
  t.throws(() => createTask({ ...OPTIONS, needs: { tools: ['a b'] } }), /a need for "a b", which is not the name of a program\.$/)
  t.end()
})
