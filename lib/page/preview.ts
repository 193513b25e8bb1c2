/** The bytes of a file for the page: only what a browser shows and cannot run, also by ranges. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { TorrentFile } from '../webtorrent/types.ts'
import type { FileView } from './snapshot.ts'

const MAX_TICKETS = 64
const UNUSED_MS = 600_000

/** Content types by the end of a name. No HTML, no SVG: nothing that could run a script. */
const TYPES: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.bmp': 'image/bmp',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.webm': 'video/webm',
  '.ogv': 'video/ogg',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.mp3': 'audio/mpeg',
  '.m4a': 'audio/mp4',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/ogg',
  '.flac': 'audio/flac',
  '.wav': 'audio/wav'
}

const TEXTS = new Set(['', '.txt', '.csv', '.tsv', '.json', '.log', '.md', '.xml', '.yaml', '.yml', '.srt'])

function typeOf (name: string): string | undefined {
  const end = path.extname(name).toLowerCase()
  return TEXTS.has(end) ? 'text/plain; charset=utf-8' : TYPES[end]
}

/** What a browser can show of a file with this name; null: nothing. */
export function previewOf (name: string): FileView['preview'] {
  return typeOf(name)?.split('/')[0] as FileView['preview'] | undefined ?? null
}

interface Ticket { file: TorrentFile, usedAt: number }

/** The files that may be read: whoever has a ticket may read its file. */
export class Previews {
  /** by ticket, the one that was used last at the end */
  readonly #tickets = new Map<string, Ticket>()
  readonly #now: () => number

  /** @param now milliseconds */
  constructor (now: () => number) { this.#now = now }

  /** A ticket for a file that a browser can show; null: it cannot. */
  add (file: TorrentFile): string | null {
    if (previewOf(file.name) === null) return null
    for (const [ticket, { usedAt }] of this.#tickets) {
      if (this.#tickets.size >= MAX_TICKETS || this.#now() - usedAt > UNUSED_MS) this.#tickets.delete(ticket)
    }
    const ticket = randomBytes(16).toString('hex')
    this.#tickets.set(ticket, { file, usedAt: this.#now() })
    return ticket
  }

  /** Answers a request with a ticket; returns false if there is none such. */
  serve (ticket: string, request: IncomingMessage, response: ServerResponse): boolean {
    const found = this.#tickets.get(ticket)
    if (found === undefined || this.#now() - found.usedAt > UNUSED_MS) return false
    found.usedAt = this.#now()
    this.#tickets.delete(ticket)
    this.#tickets.set(ticket, found)
    void send(found.file, request, response).catch(() => { response.destroy() })
    return true
  }
}

async function send (file: TorrentFile, { headers, method }: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-security-policy', "default-src 'none'; sandbox")
  response.setHeader('content-type', typeOf(file.name)!)
  // before it is finished, its length is not known, and HTTP allows the whole file in place of a range
  const { isFinished } = file as TorrentFile & { isFinished?: boolean }
  const range = isFinished === true ? rangeOf(headers.range, file.length) : null
  if (isFinished === true) response.setHeader('accept-ranges', 'bytes')
  if (range === 'none') {
    response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
    return
  }
  if (range !== null) {
    const { start, end } = range
    response.writeHead(206, { 'content-range': `bytes ${start}-${end}/${file.length}`, 'content-length': end - start + 1 })
  } else if (isFinished === true) response.writeHead(200, { 'content-length': file.length })
  else response.writeHead(200)
  if (method === 'HEAD') response.end()
  else await pipeline(file[Symbol.asyncIterator](range ?? {}), response)
}

/** One range (RFC 9110, section 14); null: the whole file; 'none': nothing of it is there. */
export function rangeOf (header: string | undefined, length: number): { start: number, end: number } | 'none' | null {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return null
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1)
  return start > end || start >= length ? 'none' : { start, end }
}
