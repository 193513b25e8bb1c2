// `run --ui`: the page of a real run, by real HTTP and in a real Chromium.
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { PIECE_STATES, unpackStates } from '../../lib/page/piece-states.ts'
import { EventReader } from '../../lib/page/client/stream.ts'
import { rangeOf } from '../../lib/page/preview.ts'
import type { ActionAnswer, PieceView, TaskList, TaskLive, TaskView } from '../../lib/page/snapshot.ts'
import { openPage, startBrowser } from '../helpers/browser.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running } from '../helpers/cli.ts'

const HOSTILE = '&lt;b&gt; & y.txt'
/** Piece 2 fails, and piece 3 waits until somebody opens the gate. */
const COMMAND = 'case $PIECE_IDX in 2) [ -e "$FIXED" ] || { echo "<i>broken</i>" >&2; exit 7; };; 3) until [ -e "$GATE" ]; do sleep 0.05; done;; esac; echo line $PIECE_IDX'

interface Answer { status: number, headers: IncomingMessage['headers'], body: Buffer }

interface PageRun {
  run: Running
  url: string
  ask: (path: string, body?: object, headers?: Record<string, string>) => Promise<Answer>
  json: <T>(path: string, body?: object) => Promise<T>
  open: (gate: 'GATE' | 'FIXED') => void
}

/** A run with a page: piece 2 fails until it is fixed, piece 3 runs until its gate is open. */
async function paged (t: Test, flags: string[] = []): Promise<PageRun> {
  const { dir, run: command, start } = await workspace(t)
  const gates = { GATE: path.join(dir, 'gate'), FIXED: path.join(dir, 'fixed') }
  const script = Object.entries(gates).map(([name, file]) => `${name}=${file}; `).join('') + COMMAND
  const created = await command(['create', '--command', script, '--parts', '6', '--name', HOSTILE, '-o', 'x.bitworker', '--no-try'])
  t.equal(created.code, 0, created.stderr)
  const run = start([
    'run', 'x.bitworker', '--yes', '--json', '--ui', '--unsafe-no-sandbox', ...OFFLINE, '-o', 'out', ...flags
  ])
  const { url } = await run.event('page')
  const { port, hash } = new URL(String(url))
  const ask: PageRun['ask'] = async (where, body, headers = {}) => {
    const req = request({
      host: '127.0.0.1',
      port,
      path: where,
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      headers: { authorization: `Bearer ${hash.slice(1)}`, ...body !== undefined && { 'content-type': 'application/json' }, ...headers }
    })
    req.end(body === undefined ? undefined : JSON.stringify(body))
    const [res] = await once(req, 'response') as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of res as AsyncIterable<Buffer>) chunks.push(chunk)
    return { status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }
  }
  return {
    run,
    url: String(url),
    ask,
    json: async <T>(where: string, body?: object) => JSON.parse((await ask(where, body)).body.toString()) as T,
    open: gate => { writeFileSync(gates[gate], '') }
  }
}

/** Asks until it is so. */
async function until<T> (ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isSo(answer)) return answer
  }
}

test('a page shows a real run, and steers it', async t => {
  const { run, ask, json, open } = await paged(t, ['-j', '2'])
  const { tasks: [task] } = await until(async () => json<TaskList>('/api/tasks'), ({ tasks }) => tasks.length > 0)
  const of = `/api/task/${task!.infoHash}`
  const live = async (): Promise<TaskLive> => (await json<TaskView>(of)).live
  await until(live, ({ pieces }) => pieces.stored === 4 && pieces.running === 1)
  const view = await json<TaskView>(of)
  t.equal(view.name, HOSTILE, 'the name as it is')
  t.equal(view.neededBy, null)
  t.deepEqual(view.files.map(({ path: name, first, pieces, preview }) => ({ name, first, pieces, preview })), [
    { name: HOSTILE, first: 0, pieces: 6, preview: 'text' }
  ])
  const packed = await ask(`${of}/pieces`)
  const names = Array.from(unpackStates(packed.body, 6), code => PIECE_STATES[code])
  t.equal(names[3], 'running')
  t.notOk(names.includes('announced'), 'nobody else is there')
  t.equal(unpackStates((await ask(`${of}/copies`)).body, 6).join(''), '000000', 'nobody has copies')

  const failed = await until(async () => json<PieceView>(`${of}/piece/2`), ({ attempts }) => attempts.length > 0)
  t.equal(failed.attempts[0]!.exitCode, 7, 'why it failed')
  t.equal(failed.attempts[0]!.stderr?.trim(), '<i>broken</i>', 'what it wrote')
  t.equal((await ask(`${of}/piece/6`)).status, 404, 'no such piece')

  t.equal((await json<ActionAnswer>(of, { do: 'pause' })).live.computing, 'paused')
  t.equal((await json<ActionAnswer>(of, { do: 'resume' })).live.computing, 'on')
  t.equal((await json<ActionAnswer>(of, { do: 'slots', slots: 3 })).live.slots, 3)
  t.equal((await ask(of, { do: 'slots', slots: 0 })).status, 400)
  open('FIXED')
  t.equal((await json<ActionAnswer>(of, { do: 'retry', piece: 2 })).live.done, false)
  await until(live, ({ pieces }) => pieces.stored === 5)
  t.pass('a piece that failed is computed in the slot that was added')

  const metrics = (await ask('/metrics')).body.toString()
  const LINE = /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\} [0-9.e+-]+)$/
  t.deepEqual(metrics.split('\n').slice(0, -1).filter(line => !LINE.test(line)), [], 'metrics are in the format of Prometheus')
  t.match(metrics, /^bitworker_task_pieces\{[^}]*state="stored"\} 5$/m)

  const { preview } = await json<ActionAnswer>(of, { do: 'preview', file: 0 })
  open('GATE')
  await run.event('done')
  const whole = await ask(preview!, undefined, { authorization: '' })
  t.equal(whole.body.toString(), Array.from({ length: 6 }, (_, i) => `line ${i}\n`).join(''), 'the result, by its ticket alone')
  t.match(String(whole.headers['content-security-policy']), /sandbox/)
  const part = await ask(preview!, undefined, { range: 'bytes=7-12' })
  t.equal(part.status, 206)
  t.equal(part.body.toString(), 'line 1', 'a range')
  t.equal((await ask(preview!, undefined, { range: 'bytes=900-' })).status, 416)
  t.equal((await ask('/preview/0123')).status, 404, 'no ticket')

  t.equal((await json<ActionAnswer>(of, { do: 'finish' })).live.finishing, true)
  t.equal((await run.ended).code, 0, 'the run ends when the page says so')
})

test('a page is told what changes, until the run ends', async t => {
  const { run, url, json, open } = await paged(t, ['-j', '2'])
  const { tasks: [task] } = await until(async () => json<TaskList>('/api/tasks'), ({ tasks }) => tasks.length > 0)
  const { origin, hash } = new URL(url)
  const answer = await fetch(`${origin}/api/task/${task!.infoHash}/events`, { headers: { authorization: `Bearer ${hash.slice(1)}` } })
  const events = new EventReader()
  const seen = new Map<string, unknown[]>()
  const decoder = new TextDecoder()
  let isOpen = false
  for await (const chunk of answer.body!) {
    for (const { name, data } of events.push(decoder.decode(chunk, { stream: true }))) {
      seen.set(name, [...seen.get(name) ?? [], JSON.parse(data)])
    }
    if (!isOpen && seen.has('live')) {
      isOpen = true
      open('FIXED')
      open('GATE')
      void run.event('done').then(() => { run.kill('SIGINT') })
    }
  }
  t.deepEqual([...seen.keys()].slice(0, 5), ['task', 'work', 'peers', 'rates', 'messages'], 'first everything')
  const runs = seen.get('pieces') as Array<{ version: number, runs: number[][] }>
  t.ok(runs.some(({ runs: changed }) => changed.some(([first, count]) => first! <= 3 && 3 < first! + count!)), 'piece 3 has changed')
  t.deepEqual(runs.map(({ version }) => version), runs.map((_, i) => runs[0]!.version + i), 'no change is left out')
  t.deepEqual(seen.get('end'), [{ done: true }], 'the end is said')
  t.equal((await run.ended).code, 130, 'interrupted')
})

test('a person sees it in Chromium', async t => {
  const { run, url, open } = await paged(t, ['-j', '2'])
  const browser = await startBrowser()
  const { page, errors } = await openPage(browser, url)
  try {
    await page.locator('h1').first().waitFor()
    await page.getByText('&lt;b&gt;').first().waitFor()
    await page.getByRole('button', { name: 'Pause' }).first().click()
    await run.event('paused')
    await page.getByRole('button', { name: /Resume|Go on/ }).first().click()
    await run.event('resumed')
    open('FIXED')
    open('GATE')
    await run.event('done')
    await page.getByText('100').first().waitFor()
    t.deepEqual(errors, [], 'no errors in the page')
  } finally {
    await browser.close()
  }
})

test('ranges of a file', t => {
  const CASES: Array<[string | undefined, ReturnType<typeof rangeOf>]> = [
    [undefined, null], ['bytes=0-4', { start: 0, end: 4 }], ['bytes=5-', { start: 5, end: 9 }], ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-30', { start: 0, end: 9 }], ['bytes=8-40', { start: 8, end: 9 }], ['bytes=10-', 'none'], ['bytes=4-2', 'none'],
    ['bytes=0-1,3-4', null], ['lines=1-2', null], ['bytes=-', null]
  ]
  for (const [header, range] of CASES) t.deepEqual(rangeOf(header, 10), range, String(header))
  t.equal(rangeOf('bytes=0-', 0), 'none', 'nothing of an empty file')
  t.end()
})

test('where a page cannot be served', async t => {
  const { dir, run } = await workspace(t)
  t.equal((await run(['create', '--command', 'echo', '--parts', '1', '--name', 'x', '-o', 'x.bitworker', '--no-try'])).code, 0)
  const wrong = await run(['run', 'x.bitworker', '--yes', ...OFFLINE, '--ui', 'example.com:80'])
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /address of this machine/)
  const foreign = await run(['run', 'x.bitworker', '--yes', ...OFFLINE, '--ui', '192.0.2.1:8080'])
  t.equal(foreign.code, 2, 'an address of another machine')
  t.match(foreign.stderr, /^.*--ui 192\.0\.2\.1:8080: .*$/m)
  t.throws(() => readFileSync(path.join(dir, 'x')), 'nothing was computed')
})
