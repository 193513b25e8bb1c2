/**
 * The HTTP server for tasks. WebTorrent's states a file's length before it sends it; a file of an unfinished task has
 * none yet, so it is sent without (chunked), part by part as they come.
 */
import { TaskFileView } from './file.ts'
import type { Torrent, WebTorrentClient, WebTorrentServer } from './webtorrent-types.ts'

/** What WebTorrent's server hands to its callback. */
interface ServerResponse { status: number, statusCode?: number, headers: Record<string, unknown>, body: unknown }
interface ServerRequest { url: string, headers: Record<string, string | undefined> }

/** @returns the server */
export function patchServer (server: WebTorrentServer, client: WebTorrentClient): WebTorrentServer {
  const inner = server as unknown as {
    pathname: string
    onRequest (req: ServerRequest, cb: (res: ServerResponse) => void): Promise<void>
    wrapRequest (req: ServerRequest & { destroy (): void }, res: unknown): void
  }
  const wrapRequest = inner.wrapRequest.bind(inner)
  inner.wrapRequest = (req, res) => {
    // WebTorrent's would throw where nobody catches it
    if (URL.canParse(req.url, 'http://localhost')) wrapRequest(req, res)
    else req.destroy()
  }
  const onRequest = inner.onRequest.bind(inner)
  inner.onRequest = async (req, cb) => {
    const file = findUnfinished(client, inner.pathname, req.url)
    if (file === undefined) return onRequest(req, cb)
    // a range of a file whose length is not known yet cannot be promised: HTTP lets a server send the whole
    delete req.headers['range']
    return onRequest(req, res => {
      delete res.headers['Content-Length']
      delete res.headers['Accept-Ranges']
      cb(res)
    })
  }
  return server
}

function findUnfinished (client: WebTorrentClient, root: string, url: string): TaskFileView | undefined {
  const { pathname } = new URL(url, 'http://localhost')
  if (!pathname.startsWith(`${root}/`)) return undefined
  const [infoHash, ...path] = pathname.slice(root.length + 1).split('/')
  const torrent = client.torrents.find((candidate: Torrent) => candidate.infoHash === infoHash)
  const file = torrent?.files.find(candidate => candidate.path === decode(path.join('/')))
  return file instanceof TaskFileView && !file.isFinished ? file : undefined
}

/** A malformed escape names no file; WebTorrent answers it. */
function decode (path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
