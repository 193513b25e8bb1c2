// One file for each piece: the info dictionary has the pattern, not the names.
import test from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { createTask, encodeTask, parseTask, workItemEnv } from '../../lib/task/task.ts'

const OPTIONS = { name: 'film', command: 'true', parts: 12, pieceLength: 4 }

function read (pattern: Encodable, info: Record<string, Encodable> = { length: 8 }): ReturnType<typeof parseTask> {
  const bitworker = { command: 'true', version: 2, 'output pattern': pattern }
  return parseTask(encode({ info: { bitworker, name: 'x', 'piece length': 4, ...info } }))
}

test('a pattern is as good as the names', t => {
  const task = createTask({ ...OPTIONS, outputPattern: 'a/frame-%04d.png' })
  t.equal(task.outputPattern, 'a/frame-%04d.png')
  t.deepEqual(parseTask(encodeTask(task)), task)
  const { name, command, pieceLength } = OPTIONS
  const files = Array.from({ length: 12 }, (_, i) => ({ path: `a/frame-${String(i).padStart(4, '0')}.png`, parts: 1 }))
  t.deepEqual(task.files, createTask({ name, command, pieceLength, files }).files)
  t.ok(task.info.length < 200, 'without the names')
  t.equal(workItemEnv(task, 11)['FILE'], 'film/a/frame-0011.png')
  t.equal(workItemEnv(task, 11)['PART_COUNT'], '1')
  t.equal(createTask({ ...OPTIONS, outputPattern: '%d' }).files[11]!.path, 'film/11')
  t.equal(createTask({ ...OPTIONS, parts: 10_000, outputPattern: '%01d/x' }).files[9_999]!.path, 'film/9999/x', 'more digits')
  t.end()
})

test('patterns that are refused', t => {
  const wrong: Encodable[] = [
    '', 'x', '%', '%s', '%5d', '%00d', '%010d', '%0d', '%d-%d', '%d%', '%%d', '%d%%', '%-4d', '%D',
    '/%d', '%d/', '../%d', './%d', 'a//%d', 'a/../%d', 'a\\%d', 'a\n%d', ' %d/.', '%d.', 'nul.%d', 'a:%d', '\u202e%d',
    `${'a'.repeat(255)}%d`, 1, ['%d'], Uint8Array.of(0xff)
  ]
  for (const pattern of wrong) t.throws(() => read(pattern), /The task's file name|The task has an output pattern/, JSON.stringify(pattern).slice(0, 40))
  t.throws(() => read('com%d', { length: 8 }), /is a device name/, 'also where only some of the names are bad')
  t.throws(() => read('%d', { files: [{ path: ['a'], length: 4 }] }), /both `files` and an output pattern/)
  t.throws(() => read('%d', { length: 40_004 }), /10001 files; at most 10000/)
  t.throws(() => createTask({ name: 'x', command: 'true', files: [{ path: 'a', parts: 1 }], outputPattern: '%d' }), /needs parts/)
  t.equal(read('%d').files.length, 2)
  t.end()
})
