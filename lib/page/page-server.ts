/**
 * The HTTP server of the page: the built files, data about tasks, and actions. It costs nothing while nobody asks, and
 * what is asked cannot make it keep much: few connections, short requests, and answers of a known size. What it tells
 * comes from a `PageSource`.
 */
import { once } from 'node:events'
import http from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TorrentFile } from '../webtorrent/types.ts'
import { MAX_ACTION_BYTES, parseAction } from './actions.ts'
import { EventStream } from './event-stream.ts'
import { METRICS_TYPE, metricsOf } from './metrics.ts'
import { PIECES_VERSION_HEADER, packStates } from './piece-states.ts'
import { Previews } from './preview.ts'
import { SAFE_HEADERS, refusal, refuseForeign, refuseStranger } from './requests.ts'
import type { Refusal } from './requests.ts'
import type { Action, ActionAnswer, PieceView, TaskList, TaskLive, TaskSummary, TaskView } from './snapshot.ts'

const MAX_CONNECTIONS = 64
/** A request that takes longer to arrive is cut off. */
const REQUEST_MS = 10_000
const MAX_STREAMS = 16
const PREVIEW = '/preview/'
/** How long the end of a stream may take to arrive. */
const LAST_WORD_MS = 200

/** A task of the source. */
export interface PageTask {
  view (): TaskView
  live (): TaskLive
  /** codes of PIECE_STATES, one for each piece, and which deltas are in them */
  states (): { version: number, codes: Uint8Array }
  /** the number of copies of each piece, at most 15 */
  copies (): Uint8Array
  /** null: there is no such piece */
  piece (index: number): PieceView | null
  /** undefined: there is no such file */
  file (index: number): TorrentFile | undefined
  /** a text: it is refused, for this reason */
  act (action: Exclude<Action, { do: 'preview' }>): ActionAnswer | string
  /** sends everything, then what changes, until the returned function is called */
  begin (stream: EventStream): () => void
}

/** What the server tells of. */
export interface PageSource {
  list (): TaskSummary[]
  /** undefined: there is no such task */
  task (infoHash: string): PageTask | undefined
}

/** A file of the built page. */
export interface PageFile { type: string, bytes: Uint8Array }

/** What a server is made of. */
export interface PageServerOptions {
  /** default: 127.0.0.1 */
  host?: string
  /** default: any free one */
  port?: number
  /** what a request for data or an action has to show */
  token: string
  /** of BitWorker */
  version: string
  source: PageSource
  /** by path, such as `/` and `/page.js` */
  files: ReadonlyMap<string, PageFile>
}

/** A server that listens. */
export class PageServer {
  readonly #server: Server
  readonly #options: PageServerOptions
  readonly #previews = new Previews(() => performance.now())
  #streams = 0

  private constructor (options: PageServerOptions) {
    this.#options = options
    this.#server = http.createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (req, res) => {
      this.#answer(req, res).catch(() => { res.destroy() })
    })
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Throws errors of the system, such as EADDRINUSE. */
  static async listen (options: PageServerOptions): Promise<PageServer> {
    const page = new PageServer(options)
    page.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
    await once(page.#server, 'listening')
    page.#server.on('error', () => {}) // EMFILE: a connection is lost, not the client
    page.#server.unref()
    return page
  }

  /** The link for people. The fragment with the token is sent to no server. */
  get link (): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}/#${this.#options.token}`
  }

  /** Ends all connections: what was said on them has a moment to arrive. */
  close (): void {
    this.#server.close()
    this.#server.closeIdleConnections()
    setTimeout(() => { this.#server.closeAllConnections() }, LAST_WORD_MS).unref()
  }

  async #answer (req: IncomingMessage, res: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) res.setHeader(name, value)
    const foreign = refuseForeign(req.headers)
    if (foreign !== null) return refuse(res, foreign)
    const [path = ''] = (req.url ?? '').split('?')
    const isReading = req.method === 'GET' || req.method === 'HEAD'
    const file = isReading ? this.#options.files.get(path) : undefined
    if (file !== undefined) return send(res, 200, file.type, file.bytes)
    if (isReading && path.startsWith(PREVIEW)) {
      if (this.#previews.serve(path.slice(PREVIEW.length), req, res)) return
      return refuse(res, refusal(404, 'This preview has ended. Open it again.'))
    }
    const stranger = refuseStranger(req.headers, this.#options.token)
    if (stranger !== null) return refuse(res, stranger)
    if (path === '/api/tasks' && isReading) return sendJson(res, this.#list())
    if (path === '/metrics' && isReading) return send(res, 200, METRICS_TYPE, Buffer.from(this.#metrics()))
    const [, infoHash = '', rest = ''] = /^\/api\/task\/([\da-f]{40})(\/.{1,64})?$/.exec(path) ?? []
    const task = this.#options.source.task(infoHash)
    if (task === undefined) return refuse(res, refusal(404, 'There is nothing here.'))
    if (rest === '' && req.method === 'POST') return this.#act(req, res, task)
    if (!isReading) return refuse(res, refusal(405, 'This can only be read.'))
    if (rest === '/events') return this.#stream(res, task)
    return read(res, task, rest)
  }

  #list (): TaskList { return { version: this.#options.version, tasks: this.#options.source.list() } }

  #metrics (): string {
    const { source, version } = this.#options
    return metricsOf(version, source.list().flatMap(summary => {
      const live = source.task(summary.infoHash)?.live()
      return live === undefined ? [] : [[summary, live] as const]
    }))
  }

  #stream (res: ServerResponse, task: PageTask): void {
    if (this.#streams >= MAX_STREAMS) return refuse(res, refusal(503, 'Too many pages are open. Close some of them.'))
    this.#streams++
    const end = task.begin(new EventStream(res))
    res.once('close', () => {
      this.#streams--
      end()
    })
  }

  async #act (req: IncomingMessage, res: ServerResponse, task: PageTask): Promise<void> {
    const action = await actionOf(req, res)
    if (action === null) return
    const answer = action.do === 'preview' ? this.#preview(task, action.file) : task.act(action)
    if (typeof answer === 'string') return refuse(res, refusal(409, answer))
    return sendJson(res, answer)
  }

  #preview (task: PageTask, index: number): ActionAnswer | string {
    const file = task.file(index)
    const ticket = file === undefined ? null : this.#previews.add(file)
    return ticket === null ? 'A browser cannot show this file.' : { live: task.live(), preview: `${PREVIEW}${ticket}` }
  }
}

function read (res: ServerResponse, task: PageTask, what: string): void {
  if (what === '') return sendJson(res, task.view())
  if (what === '/pieces') {
    const { version, codes } = task.states()
    res.setHeader(PIECES_VERSION_HEADER, version)
    return send(res, 200, 'application/octet-stream', packStates(codes))
  }
  if (what === '/copies') return send(res, 200, 'application/octet-stream', packStates(task.copies()))
  const index = /^\/piece\/(\d{1,10})$/.exec(what)?.[1]
  const piece = index === undefined ? null : task.piece(Number(index))
  if (piece === null) return refuse(res, refusal(404, 'There is nothing here.'))
  return sendJson(res, piece)
}

/** The action in the body; null: it was refused. */
async function actionOf (req: IncomingMessage, res: ServerResponse): Promise<Action | null> {
  const refused = (reason: Refusal): null => {
    refuse(res, reason)
    return null
  }
  if (req.headers['content-type']?.split(';')[0] !== 'application/json') {
    return refused(refusal(415, 'An action is JSON: send Content-Type: application/json.'))
  }
  const body = await bodyOf(req)
  if (body === null) {
    res.setHeader('Connection', 'close')
    return refused(refusal(413, 'The action is too long.'))
  }
  return parseAction(body) ?? refused(refusal(400, 'This is no action of this version.'))
}

/** null: it is too long. */
async function bodyOf (req: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_ACTION_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refuse (res: ServerResponse, { status, code, message }: Refusal): void {
  send(res, status, 'application/json', Buffer.from(JSON.stringify({ error: { code, message } })))
}

function sendJson (res: ServerResponse, value: object): void {
  send(res, 200, 'application/json', Buffer.from(JSON.stringify(value)))
}

function send (res: ServerResponse, status: number, type: string, bytes: Uint8Array): void {
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes)
}
