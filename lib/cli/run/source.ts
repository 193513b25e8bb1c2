/**
 * Determines what TASK is: a file, a URL, a magnet link or an info-hash. A file is read and checked before anything
 * starts.
 */
import { open } from 'node:fs/promises'
import { BitWorkerError, errorAbout } from '../../base/errors.ts'
import { isTask, parseTask } from '../../task/task.ts'
import type { ParseTaskOptions, Task } from '../../task/task.ts'
import { explain } from '../output/failure.ts'
import { checkLink, isInfoHash, tidyLink } from './link.ts'

// The largest torrents in use have about 10 MB; task files contain no hashes and are far smaller.
const MAX_FILE_BYTES = 16 * 1024 * 1024

/** A TASK argument, resolved as far as possible without a network. */
export interface Source {
  kind: 'task' | 'torrent' | 'remote'
  /** the argument for `client.add()` */
  id: string | Uint8Array
  /** known now if `kind` is 'task' */
  task: Task | null
}

/** The id if the task must be loaded over the network; undefined for a file. Throws BW_ERR_MAGNET, BW_ERR_USAGE. */
function remoteId (text: string): string | undefined {
  const link = tidyLink(text)
  if (/^(?:stream-)?magnet:/.test(link)) checkLink(link)
  else if (!isInfoHash(link) && !/^https?:\/\//.test(link)) {
    if (/^[a-z][a-z\d+.-]*:\/\//i.test(link)) throw unsupportedUrl(link)
    return undefined
  }
  return link
}

/**
 * Reads TASK. Throws BW_ERR_MAGNET, BW_ERR_USAGE, BW_ERR_NOT_FOUND, BW_ERR_NOT_A_FILE, BW_ERR_NOT_PERMITTED,
 * BW_ERR_FILE_TOO_LARGE, and the errors of `parseTask`.
 */
export async function readSource (text: string, opts: ParseTaskOptions = {}): Promise<Source> {
  const remote = remoteId(text)
  if (remote !== undefined) return { kind: 'remote', id: remote, task: null }
  const bytes = await readCapped(text)
  if (!isTask(bytes) && looksLikeTorrent(bytes)) return { kind: 'torrent', id: bytes, task: null }
  return { kind: 'task', id: bytes, task: parse(text, bytes, opts) }
}

// Adds the name of the file to parseTask's message.
function parse (path: string, bytes: Uint8Array, opts: ParseTaskOptions): Task {
  try {
    return parseTask(bytes, opts)
  } catch (error) {
    throw error instanceof BitWorkerError ? errorAbout(path, error) : error
  }
}

// Looks for keys that only an ordinary torrent has (BEP 3, BEP 52). A rough check: WebTorrent reads it properly.
function looksLikeTorrent (bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return text.includes('6:pieces') || text.includes('9:file tree')
}

async function readCapped (path: string): Promise<Uint8Array> {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      if (size > MAX_FILE_BYTES) throw tooLarge(path, size)
      // The size of a device or a pipe is 0, but it may be endless.
      const chunks: Uint8Array[] = []
      for await (const chunk of file.createReadStream({ end: MAX_FILE_BYTES, autoClose: false }))
        chunks.push(chunk as Uint8Array)
      const bytes = Buffer.concat(chunks)
      if (bytes.length > MAX_FILE_BYTES) throw tooLarge(path, `more than ${MAX_FILE_BYTES}`)
      return bytes
    } finally {
      await file.close()
    }
  } catch (error) {
    throw explain(error, path)
  }
}

function unsupportedUrl (url: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `${url}: Only http and https URLs are supported. Download the file, and name its path.`
  )
}

function tooLarge (path: string, size: number | string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_FILE_TOO_LARGE',
    'input',
    `${path}: A file of ${size} bytes cannot be a task file (at most ${MAX_FILE_BYTES}). Name a .bitworker file, a magnet link or an info-hash.`
  )
}
