// The server of the page by real HTTP: who is refused, what is answered, and what a request can make it do.
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import test from 'tape'
import type { Test } from 'tape'
import { parseAction } from '../../lib/page/actions.ts'
import { PageServer } from '../../lib/page/page-server.ts'
import type { PageSource } from '../../lib/page/page-server.ts'
import { PIECES_VERSION_HEADER, unpackStates } from '../../lib/page/piece-states.ts'
import type { Action, ActionAnswer, TaskLive, TaskView } from '../../lib/page/snapshot.ts'

const TOKEN = 'a'.repeat(43)
const HASH = '0123456789abcdef0123456789abcdef01234567'
const NAME = '<img src=x onerror=alert(1)>\u001b[31m\u202ehostile'
const PIECES = 1_000_000

interface Answer { status: number, headers: IncomingHttpHeaders, body: Buffer }
interface Asked { method?: string, headers?: Record<string, string>, body?: string }

interface Serving { acted: Action[], ask: (path: string, asked?: Asked) => Promise<Answer>, link: string }

/** A server of one task, and what it was asked to do. */
async function serving (t: Test): Promise<Serving> {
  const acted: Action[] = []
  const codes = Uint8Array.from({ length: PIECES }, (_, i) => i % 12)
  const view = { infoHash: HASH, name: NAME } as TaskView
  const source: PageSource = {
    list: () => [view],
    task: infoHash => infoHash !== HASH
      ? undefined
      : {
          view: () => view,
          states: () => ({ version: 7, codes }),
          live: () => ({ pieces: {} }) as TaskLive,
          copies: () => codes,
          file: () => undefined,
          begin: stream => {
            stream.send('task', view)
            return () => {}
          },
          piece: () => null,
          act: action => {
            acted.push(action)
            return action.do === 'stop' ? 'This client may not be stopped.' : {} as ActionAnswer
          }
        }
  }
  const files = new Map([['/', { type: 'text/html; charset=utf-8', bytes: Buffer.from('<!doctype html>') }]])
  const server = await PageServer.listen({ token: TOKEN, version: '1', source, files })
  t.teardown(() => { server.close() })
  const { port } = new URL(server.link)
  const ask = async (path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> => {
    const req = request({ host: '127.0.0.1', port, path, method, agent: false, headers: { Authorization: `Bearer ${TOKEN}`, ...headers } })
    req.end(body)
    const [res] = await once(req, 'response') as [import('node:http').IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of res as AsyncIterable<Buffer>) chunks.push(chunk)
    return { status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }
  }
  return { acted, ask, link: server.link }
}

const JSON_TYPE = { 'Content-Type': 'application/json' }
const post = (body: string, headers: Record<string, string> = JSON_TYPE): Asked => ({ method: 'POST', body, headers })

test('strangers are refused, and change nothing', async t => {
  const { acted, ask, link } = await serving(t)
  const { origin, hash, port } = new URL(link)
  t.equal(hash, `#${TOKEN}`, 'the token is in the fragment')
  const task = `/api/task/${HASH}`
  const statusOf = async (path: string, headers: Record<string, string>): Promise<number> => {
    return (await ask(path, { headers })).status
  }
  t.equal(await statusOf(task, { Authorization: `Bearer ${'b'.repeat(43)}` }), 401, 'a wrong token')
  t.equal(await statusOf(task, { Authorization: '' }), 401, 'no token')
  t.equal(await statusOf(`${task}?token=${TOKEN}`, { Authorization: '' }), 401, 'the token in a URL')
  t.equal(await statusOf(task, { Host: `evil.example:${port}` }), 421, 'a name that was pointed here')
  t.equal(await statusOf('/', { Host: 'evil.example' }), 421, 'the same for the page itself')
  t.equal(await statusOf(task, { Origin: 'http://evil.example' }), 403, 'another web page')
  t.equal(await statusOf(task, { Origin: 'null' }), 403, 'a sandboxed web page')
  t.equal(await statusOf(task, { Origin: origin }), 200, 'its own page')
  t.equal(await statusOf(task, { Host: 'localhost:8080' }), 200, 'another port, which ssh forwards')
  const pause = JSON.stringify({ do: 'pause' })
  t.equal((await ask(task, post(pause, { ...JSON_TYPE, Authorization: '' }))).status, 401, 'an action without the token')
  t.equal((await ask(task, post(pause, { ...JSON_TYPE, Origin: 'http://evil.example' }))).status, 403)
  t.equal((await ask(task, post(pause, { 'Content-Type': 'text/plain' }))).status, 415, 'what a form can send')
  t.equal((await ask(task, post(`${' '.repeat(2_000)}${pause}`))).status, 413, 'a long action')
  t.equal((await ask(task, post('{"do":"run"}'))).status, 400)
  t.deepEqual(acted, [], 'nothing was done')
})

test('data and actions', async t => {
  const { acted, ask } = await serving(t)
  const page = await ask('/', { headers: { Authorization: '' } })
  t.deepEqual([page.status, String(page.body)], [200, '<!doctype html>'], 'the page itself is no secret')
  for (const path of ['/', '/api/tasks', '/nothing']) {
    const { headers } = await ask(path)
    t.match(String(headers['content-security-policy']), /^default-src 'self'/, path)
    t.deepEqual([headers['x-content-type-options'], headers['referrer-policy']], ['nosniff', 'no-referrer'])
  }
  const list = await ask('/api/tasks')
  t.match(list.headers['content-type'] ?? '', /^application\/json/)
  t.equal((JSON.parse(String(list.body)) as { tasks: TaskView[] }).tasks[0]?.name, NAME, 'hostile text is text')
  const { body, headers } = await ask(`/api/task/${HASH}/pieces`)
  t.deepEqual([body.length, headers[PIECES_VERSION_HEADER]], [PIECES / 2, '7'])
  t.equal(unpackStates(body, PIECES)[PIECES - 1], (PIECES - 1) % 12)
  for (const path of [`/api/task/${'f'.repeat(40)}`, `/api/task/${HASH}/piece/5`, `/api/task/${HASH}/../../etc`, '//']) {
    t.equal((await ask(path)).status, 404, path)
  }
  t.equal((await ask(`/api/task/${HASH}`, post('{"do":"pause"}'))).status, 200)
  t.equal((await ask(`/api/task/${HASH}`, post('{"do":"slots","slots":3}'))).status, 200)
  const refused = await ask(`/api/task/${HASH}`, post('{"do":"stop"}'))
  t.deepEqual([refused.status, JSON.parse(String(refused.body))],
    [409, { error: { code: 'BW_ERR_USAGE', message: 'This client may not be stopped.' } }])
  t.deepEqual(acted, [{ do: 'pause' }, { do: 'slots', slots: 3 }, { do: 'stop' }])
})

test('only actions are actions', t => {
  for (const body of [
    '', '[]', 'null', '1', '{', '{}', '{"do":1}', '{"do":"run"}', '{"do":"constructor"}', '{"do":"__proto__"}', '{"do":"pause","piece":1}',
    '{"do":"slots"}', '{"do":"slots","slots":0}', '{"do":"slots","slots":"2"}', '{"do":"slots","slots":1025}',
    '{"do":"retry","piece":-1}', '{"do":"retry","piece":1.5}', '{"do":"retry","slots":1}'
  ]) t.equal(parseAction(body), null, body)
  t.deepEqual(parseAction('{"do":"retry","piece":0}'), { do: 'retry', piece: 0 })
  t.end()
})
