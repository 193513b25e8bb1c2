// The socket of a running client: who may open it, and what those who open it cannot do.
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { connectTo, readFrom } from '../../lib/control/ask.ts'
import { parseStatus } from '../../lib/control/protocol.ts'
import type { LiveStatus, Request } from '../../lib/control/protocol.ts'
import { ControlServer } from '../../lib/control/server.ts'
import { createFolder } from '../helpers/disk.ts'

const STATUS: LiveStatus = {
  pid: 7,
  computing: 'on',
  finishing: false,
  done: false,
  pieces: { pieces: 9, stored: 1, missing: 8, computed: 1, downloaded: 0, running: 2, claimed: 0, failed: 0 },
  slots: 2,
  peers: 1,
  downloadSpeed: 0,
  uploadSpeed: 0,
  timeLeftMs: null,
  paused: [],
  waiting: [],
  state: null,
  remark: null
}

const LONG = new Uint8Array(3_000_000).map((_, i) => i % 251)
const FILES: Array<() => AsyncGenerator<Uint8Array>> = [
  async function * () { yield * [LONG.subarray(0, 10), LONG.subarray(10)] },
  async function * () {
    yield LONG.subarray(0, 10)
    throw new Error('The disk is gone.')
  },
  async function * () {
    yield LONG.subarray(0, 10)
    await new Promise(() => {})
  }
]

interface Listening { file: string, scratch: string, server: ControlServer, asked: Request[] }

async function listen (t: Test, depth = ''): Promise<Listening> {
  const folder = path.join(createFolder(t), depth)
  const scratch = path.join(folder, 'work')
  mkdirSync(scratch, { recursive: true, mode: 0o700 })
  const file = path.join(folder, 'control')
  const asked: Request[] = []
  const answer = (request: Request): LiveStatus => {
    asked.push(request)
    return STATUS
  }
  const server = await ControlServer.listen({ file, scratch }, { answer, read: index => FILES[index]?.() ?? null })
  t.teardown(() => { server.close(STATUS) })
  return { file, scratch, server, asked }
}

async function opened (t: Test, file: string): Promise<Socket> {
  const socket = connect(file).on('error', () => {})
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return socket
}

async function answerTo (socket: Socket, text: string): Promise<string> {
  let answer = ''
  socket.setEncoding('utf8').on('data', (more: string) => { answer += more })
  socket.write(text)
  await once(socket, 'close')
  return answer
}

test('it is asked and answers, and is gone with its client', async t => {
  const { file, server, asked } = await listen(t)
  t.equal(statSync(file).mode & 0o777, 0o600, 'only its user can connect')
  const client = await connectTo(file)
  for (const what of ['status', 'pause', 'resume', 'finish'] as const) t.deepEqual(await client!.ask(what), STATUS)
  t.deepEqual(asked, ['status', 'pause', 'resume', 'finish'])
  t.equal(client!.last, null)
  server.close({ ...STATUS, done: true })
  t.equal(await client!.ask('status'), null, 'it has ended')
  t.deepEqual(client!.last, { ...STATUS, done: true }, 'and says how')
  t.notOk(existsSync(file))
  t.equal(await connectTo(file), null)
})

test('a path that is too long for a socket', async t => {
  const { file, asked } = await listen(t, `${'deep/'.repeat(30)}folder`)
  const client = await connectTo(file)
  t.deepEqual(await client!.ask('status'), STATUS)
  t.equal(asked.length, 1)
  client!.close()
})

test('the socket of a client that was killed is replaced; a later one is not removed', async t => {
  const { file, scratch, server } = await listen(t)
  const answer = (): LiveStatus => ({ ...STATUS, pid: 8 })
  const later = await ControlServer.listen({ file, scratch }, { answer, read: () => null })
  t.teardown(() => { later.close(STATUS) })
  server.close(STATUS)
  const client = await connectTo(file)
  t.equal((await client!.ask('status'))?.pid, 8)
  client!.close()
})

test('what is no request is refused, and asks nothing', async t => {
  const { file, asked } = await listen(t)
  for (const text of ['hello\n', '{}\n', '{"do":"stop"}\n', 'x'.repeat(5_000), '{"do":"status"}\n{"do":"pause"}\n', '\n', 'GET / HTTP/1.1\r\n\r\n']) {
    t.match(await answerTo(await opened(t, file), text), /^\{"error":"[^\n]*"\}\n$/, JSON.stringify(text.slice(0, 40)))
  }
  t.deepEqual(asked, [])
})

test('a request in pieces', async t => {
  const { file } = await listen(t)
  const socket = await opened(t, file)
  let answer = ''
  socket.setEncoding('utf8').on('data', (more: string) => { answer += more })
  for (const byte of '{"do":"status"}\n') {
    socket.write(byte)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  while (!answer.endsWith('\n')) await once(socket, 'data')
  t.deepEqual(parseStatus(answer), STATUS)
})

test('connections that say nothing make room for those that ask', async t => {
  const { file } = await listen(t)
  const silent = await Promise.all(Array.from({ length: 100 }, async () => opened(t, file)))
  const client = await connectTo(file)
  t.deepEqual(await client!.ask('status'), STATUS)
  t.deepEqual(await client!.ask('status'), STATUS)
  const [first] = silent
  if (!first!.closed) await once(first!.resume(), 'close')
  t.pass('the oldest are closed')
  client!.close()
})

test('one that never reads its answers cannot ask for more', async t => {
  const { file, asked } = await listen(t)
  const greedy = await opened(t, file)
  greedy.pause()
  for (let i = 0; i < 1_000; i++) greedy.write('{"do":"status"}\n')
  const client = await connectTo(file)
  for (let i = 0; i < 3; i++) t.deepEqual(await client!.ask('status'), STATUS)
  t.ok(asked.length < 10, `${asked.length} were answered`)
  client!.close()
})

test('what only looks like the socket of a client', async t => {
  const folder = createFolder(t)
  const file = path.join(folder, 'control')
  t.equal(await connectTo(file), null, 'nothing')
  writeFileSync(file, 'x')
  t.equal(await connectTo(file), null, 'a file')
  for (const [what, answer] of [
    ['nonsense', 'nonsense\n'], ['no end', 'x'.repeat(300_000)], ['two answers', '{}\n{}\n'], ['a refusal', '{"error":"no"}\n']
  ] as const) {
    const strange = path.join(folder, what)
    const server = createServer(socket => { socket.on('error', () => {}).on('data', () => { socket.write(answer) }) })
    server.listen(strange)
    await once(server, 'listening')
    const client = await connectTo(strange)
    await client!.ask('status').then(
      () => { t.fail(what) },
      (err: Error & { code: string }) => { t.deepEqual([err.code, /does not understand/.test(err.message)], ['BW_ERR_CONTROL', true], what) }
    )
    server.close()
  }
})

const messageOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'no error', (err: unknown) => (err as Error).message)

test('files are read through the socket, whole or not at all', async t => {
  const { file, server } = await listen(t)
  const read = async (index: number): Promise<[Buffer, boolean]> => {
    const bytes = await readFrom(file, index)
    const chunks: Uint8Array[] = []
    for (;;) {
      const { done, value } = await bytes!.next()
      if (done === true) return [Buffer.concat(chunks), value]
      chunks.push(value)
      if (index === 2) server.close(STATUS)
    }
  }
  const [bytes, isWhole] = await read(0)
  t.ok(isWhole && bytes.equals(LONG), 'all bytes')
  t.match(await messageOf(read(1)), /The disk is gone/)
  t.match(await messageOf(read(9)), /no such file/)
  t.deepEqual(await read(2), [Buffer.from(LONG.subarray(0, 10)), false], 'the client has ended')
  t.equal(await readFrom(file, 0), null, 'and listens no more')
})

test('what a client sends of a file is read within bounds', async t => {
  const folder = createFolder(t)
  for (const [i, answer] of ['{"bytes":0}\n', '{"bytes":99999999}\n', '{"bytes":1e3}\n', 'x'.repeat(10_000), '{"failed":7}\n'].entries()) {
    const file = path.join(folder, String(i))
    const server = createServer(socket => { socket.on('error', () => {}).end(answer) }).listen(file)
    await once(server, 'listening')
    const bytes = await readFrom(file, 0)
    t.match(await messageOf(bytes!.next()), /does not understand/, answer.slice(0, 20))
    server.close()
  }
})
