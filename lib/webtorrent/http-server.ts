/**
 * The HTTP server for tasks. WebTorrent's sends a file's length first; the length of an unfinished task's file is
 * unknown, so it is sent in chunked encoding, part by part. The server is also made safe to keep open: every request
 * ends with a response, or with the connection closed.
 */
import { isOwnName } from '../system/own-name.ts'
import { TaskFileView } from './task-file-view.ts'
import type { ServerOptions } from './inherited-options.ts'
import type { Torrent, WebTorrentClient, WebTorrentServer } from './types.ts'

/** At a time: each may read a file. */
const MAX_CONNECTIONS = 256

/** The argument of the callback of WebTorrent's server. */
interface ServerResponse { status: number, statusCode?: number, headers: Record<string, unknown>, body: unknown }
interface ServerRequest { url: string, headers: Record<string, string | undefined>, destroy (): void }
interface NodeResponse { writeHead (status: number, headers: object): { end (text: string): void } }

/** @returns the server */
export function patchServer (
  server: WebTorrentServer, client: WebTorrentClient, { origin = false, hostname }: ServerOptions = {}
): WebTorrentServer {
  const inner = server as unknown as {
    pathname: string
    opts: { origin: string | false }
    server?: { maxConnections: number }
    onRequest (req: ServerRequest, cb: (res: ServerResponse) => void): Promise<void>
    wrapRequest (req: ServerRequest, res: NodeResponse): void
  }
  // its constructor treats false as '*'
  inner.opts.origin = origin
  // there is none in a browser
  if (inner.server !== undefined) inner.server.maxConnections = MAX_CONNECTIONS
  const wrapRequest = inner.wrapRequest.bind(inner)
  inner.wrapRequest = (req, res) => {
    // for each of these, WebTorrent would throw an uncaught error, or respond
    if (!URL.canParse(req.url, 'http://localhost')) req.destroy()
    else if (!isOwnName(req.headers['host'], hostname))
      refuse(res, 403, 'Use the address of this server, or the name of this machine.')
    else if (!canDecode(new URL(req.url, 'http://localhost').pathname))
      refuse(res, 400, 'The path contains an invalid escape.')
    else wrapRequest(req, res)
  }
  const onRequest = inner.onRequest.bind(inner)
  const answer = async (req: ServerRequest, cb: (res: ServerResponse) => void): Promise<void> => {
    const file = findUnfinished(client, inner.pathname, req.url)
    if (file === undefined) return onRequest(req, cb)
    // a range of a file of unknown length cannot be promised; HTTP allows a server to send the whole file
    delete req.headers['range']
    return onRequest(req, res => {
      delete res.headers['Content-Length']
      delete res.headers['Accept-Ranges']
      cb(res)
    })
  }
  // its promise is not awaited
  inner.onRequest = (req, cb) => answer(req, cb).catch(() => { req.destroy() })
  return server
}

function refuse (res: NodeResponse, status: number, why: string): void {
  res.writeHead(status, { 'Content-Type': 'text/plain', 'X-Content-Type-Options': 'nosniff' }).end(`${why}\n`)
}

function canDecode (path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function findUnfinished (client: WebTorrentClient, root: string, url: string): TaskFileView | undefined {
  const { pathname } = new URL(url, 'http://localhost')
  if (!pathname.startsWith(`${root}/`)) return undefined
  const [infoHash, ...path] = pathname.slice(root.length + 1).split('/')
  const torrent = client.torrents.find((candidate: Torrent) => candidate.infoHash === infoHash)
  const file = torrent?.files.find(candidate => candidate.path === decodeURIComponent(path.join('/')))
  return file instanceof TaskFileView && !file.isFinished ? file : undefined
}
