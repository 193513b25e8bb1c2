/**
 * What an author names as a root: an archive, which is read to its end, so that who makes the task is told what would
 * be refused; or a folder, of which an archive is made. Called by lib/inputs/make-task.ts.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, readdir, readlink, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'
import type { Header, Pack as Tar } from 'tar-stream'
import { textOf } from '../../base/bencode.ts'
import { compareBytes } from '../../base/digest.ts'
import { readError, sourceError } from '../tree.ts'
import { ROOT_LIMITS, readRoot } from './archive.ts'
import type { RootSink } from './archive.ts'
import { isCovered, RootFlaw } from './names.ts'

/** What `createTaskFrom` makes a root of; a string is a path. */
export type RootSource = string | { path: string, name?: string } | { torrent: Uint8Array, name: string }

type HeaderArgument = Partial<Header> & Pick<Header, 'name'>

/** A folder that is still to be packed. */
interface FolderSource {
  name: string
  /** bytes of its archive, roughly */
  length: number
  /** Writes the archive. Rejects with BW_ERR_INPUT_SOURCE, BW_ERR_NOT_PERMITTED. */
  pack: (to: string) => Promise<void>
}

/**
 * Resolves with what is to become an input. Rejects with BW_ERR_INPUT_SOURCE, BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED,
 * and the signal's reason.
 */
export async function rootArchive (
  source: RootSource, signal?: AbortSignal
): Promise<{ path: string, name: string } | { torrent: Uint8Array, name: string } | FolderSource> {
  if (typeof source === 'object' && 'torrent' in source) return source
  const { path: from, name } = typeof source === 'string' ? { path: source, name: undefined } : source
  const found = { path: from, name: name ?? (path.basename(path.resolve(from)) || 'root') }
  try {
    if (!(await stat(from)).isDirectory()) {
      await checkArchive(from, from, signal)
      return found
    }
    const entries = await entriesOf(from)
    const length = entries.reduce((sum, { size = 0 }) => sum + 1024 + size, 0)
    return {
      name: found.name,
      length,
      pack: async to => {
        await packEntries(from, entries, to, signal)
        await checkArchive(to, from, signal)
      }
    }
  } catch (error) {
    throw readError(error, from)
  }
}

/** Looks for what runs commands. */
class BashSought implements RootSink {
  #isThere = false
  #isSomewhere = false
  #isLinked = false

  get found (): boolean { return this.#isThere || (this.#isLinked && this.#isSomewhere) }

  async folder (): Promise<void> {}

  folderTime (): void {}

  async file (at: string[], _about: unknown, data: AsyncIterable<Uint8Array>): Promise<void> {
    this.#saw(at)
    for await (const _ of data);
  }

  async hardLink (at: string[]): Promise<void> { this.#saw(at) }

  symlink (at: string[]): void {
    this.#saw(at)
    if (at.join('/') === 'bin') this.#isLinked = true
  }

  #saw (at: string[]): void {
    if (at.join('/') === 'bin/bash') this.#isThere = true
    if (at.at(-1) === 'bash') this.#isSomewhere = true
  }
}

/** @param from as its author calls it */
async function checkArchive (archive: string, from: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    const sought = new BashSought()
    await readRoot(createReadStream(archive), ROOT_LIMITS, sought, signal)
    if (!sought.found) throw new RootFlaw('has no /bin/bash, which runs the commands; install bash in it')
  } catch (error) {
    throw error instanceof RootFlaw ? sourceError(from, `cannot be a root: it ${error.what}`, error) : error
  }
}

/** The same folder gives the same archive: in the order of names, without owners. */
async function entriesOf (root: string): Promise<HeaderArgument[]> {
  const entries: HeaderArgument[] = []
  const firsts = new Map<string, string>()
  const folders = ['']
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const raw of (await readdir(path.join(root, folder), { encoding: 'buffer' })).sort(compareBytes)) {
      const name = path.posix.join(folder, textOf(raw) ?? '')
      const at = path.join(root, name)
      if (textOf(raw) === undefined) throw sourceError(path.join(root, folder), 'has a file whose name is not UTF-8')
      if (isCovered(name.split('/'))) continue
      const stats = await lstat(at)
      const header = { name, uid: 0, gid: 0, mtime: new Date(Math.floor(stats.mtimeMs / 1000) * 1000) }
      const id = `${stats.dev} ${stats.ino}`
      const first = stats.isFile() && stats.nlink > 1 ? firsts.get(id) : undefined
      if (first !== undefined) {
        entries.push({ ...header, type: 'link', linkname: first })
      } else if (stats.isFile()) {
        firsts.set(id, name)
        entries.push({ ...header, type: 'file', size: stats.size, mode: (stats.mode & 0o111) === 0 ? 0o644 : 0o755 })
      } else if (stats.isSymbolicLink()) {
        entries.push({ ...header, type: 'symlink', mode: 0o777, linkname: textOf(await readlink(at, { encoding: 'buffer' })) ?? '' })
      } else if (stats.isDirectory()) {
        entries.push({ ...header, type: 'directory', mode: 0o755 })
        folders.push(name)
      } else {
        throw sourceError(at, 'is neither a file nor a folder nor a link, so no root can have it')
      }
    }
  }
  return entries
}

async function packEntries (
  root: string, entries: readonly HeaderArgument[], to: string, signal: AbortSignal | undefined
): Promise<void> {
  const tar = pack()
  const writing = pipeline(tar as unknown as AsyncIterable<Uint8Array>, createWriteStream(to, { flags: 'wx', mode: 0o600 }))
  try {
    for (const entry of entries) {
      signal?.throwIfAborted()
      await add(tar, entry, path.join(root, entry.name))
    }
    tar.finalize()
  } catch (error) {
    tar.destroy(error as Error)
    await writing.catch(() => {})
    throw error
  }
  await writing
}

async function add (tar: Tar, header: HeaderArgument, from: string): Promise<void> {
  if (header.type !== 'file' || header.size === 0) {
    tar.entry(header, '')
    return
  }
  await new Promise<void>((resolve, reject) => {
    const sink = tar.entry(header, err => { if (err == null) resolve(); else reject(sourceError(from, 'was changed while it was read', err)) })
    const file = createReadStream(from)
    file.on('error', reject)
    file.pipe(sink)
  })
}
