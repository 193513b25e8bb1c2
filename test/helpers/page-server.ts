/**
 * A server that says what lib/page/snapshot.ts describes, of a task that does not exist: any number of pieces, in any
 * states, and what changes is said when the test says so. For the page alone; lib/page/ has the real one.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PIECES_VERSION_HEADER, packStates } from '../../lib/page/piece-states.ts'
import type { Run } from '../../lib/page/piece-states.ts'
import type { Action, PageEvents, PieceView, TaskView } from '../../lib/page/snapshot.ts'

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml'
}
const TOKEN = 'a-token-of-the-test'

/** What the server says. `copies` and `states` as on the wire, one byte a piece. */
export interface PageScene {
  task: TaskView
  states: Uint8Array
  copies: Uint8Array
  piece: (index: number) => PieceView
  work: PageEvents['work']
  peers: PageEvents['peers']
  rates: PageEvents['rates']
  messages: PageEvents['messages']
  /** by the index of a file: the type and the bytes of its preview */
  previews?: Record<number, [type: string, bytes: Buffer]>
}

export interface FakePage {
  /** with the token */
  url: string
  /** those that the page asked for */
  actions: Action[]
  /** streams that are open now */
  streams: () => number
  send: <Name extends keyof PageEvents>(name: Name, value: PageEvents[Name]) => void
  /** changes states, and says so */
  change: (runs: Run[]) => void
  /** ends all streams, as a client that is gone for a moment */
  cut: () => void
  close: () => Promise<void>
}

function write (to: ServerResponse, name: string, value: unknown): void {
  to.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`)
}

function json (to: ServerResponse, value: unknown, status = 200): void {
  to.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** Serves the page's files and the scene on a port of 127.0.0.1. */
export async function serveScene (files: ReadonlyMap<string, string>, scene: PageScene): Promise<FakePage> {
  const open = new Set<ServerResponse>()
  const actions: Action[] = []
  let version = 1
  const root = `/api/task/${scene.task.infoHash}`
  const packed = (to: ServerResponse, codes: Uint8Array): void => {
    to.writeHead(200, { [PIECES_VERSION_HEADER]: String(version) }).end(packStates(codes))
  }
  const act = async (request: IncomingMessage, to: ServerResponse): Promise<void> => {
    let body = ''
    for await (const part of request) body += String(part)
    const action = JSON.parse(body) as Action
    actions.push(action)
    if (action.do === 'pause') scene.task.live.computing = 'paused'
    if (action.do === 'resume') scene.task.live.computing = 'on'
    if (action.do === 'slots') scene.task.live.slots = action.slots
    json(to, { live: scene.task.live, ...action.do === 'preview' && { preview: `/preview/${action.file}` } })
  }
  const stream = (to: ServerResponse): void => {
    to.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const name of ['task', 'work', 'peers', 'rates', 'messages'] as const) write(to, name, scene[name])
    open.add(to)
    to.on('close', () => open.delete(to))
  }
  const api = (request: IncomingMessage, to: ServerResponse, path: string): void => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      json(to, { error: { code: 'ERR_PAGE_TOKEN', message: 'The token is wrong.' } }, 401)
    } else if (path === '/api/tasks') json(to, { version: '0.0.0', tasks: [scene.task] })
    else if (path === root && request.method === 'POST') void act(request, to)
    else if (path === `${root}/pieces`) packed(to, scene.states)
    else if (path === `${root}/copies`) packed(to, scene.copies)
    else if (path === `${root}/events`) stream(to)
    else if (path.startsWith(`${root}/piece/`)) json(to, scene.piece(Number(path.split('/').at(-1))))
    else json(to, { error: { code: 'ERR_PAGE_PATH', message: 'There is nothing here.' } }, 404)
  }
  const server = createServer((request, to) => {
    const path = request.url === '/' ? '/index.html' : request.url!
    const file = files.get(path.slice(1))
    const preview = path.startsWith('/preview/') ? scene.previews?.[Number(path.slice(9))] : undefined
    to.setHeader('content-security-policy', "default-src 'self'")
    if (file !== undefined) to.writeHead(200, { 'content-type': TYPES[path.split('.').at(-1)!]! }).end(file)
    else if (preview !== undefined) to.writeHead(200, { 'content-type': preview[0] }).end(preview[1])
    else api(request, to, path)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  const send: FakePage['send'] = (name, value) => {
    for (const each of open) {
      write(each, name, value)
      if (name === 'end') each.end()
    }
  }
  return {
    url: `http://127.0.0.1:${port}/#${TOKEN}`,
    actions,
    streams: () => open.size,
    send,
    change: runs => {
      version++
      for (const [first, count, code] of runs) scene.states.fill(code, first, first + count)
      send('pieces', { version, runs })
    },
    cut: () => { for (const each of open) each.end() },
    close: async () => {
      await new Promise(resolve => { server.close(resolve); server.closeAllConnections() })
    }
  }
}
