/**
 * Unpacks the archive of a root into a folder of its own. While files are written, it contains no links that could be
 * followed: links are made last. Permissions are those of a read-only system, whoever unpacks it: everyone may read
 * everything, and execute what anyone could; nothing is set-user-ID. Called by lib/inputs/roots/root-cache.ts.
 */
import { constants } from 'node:fs'
import { chmod, link, lutimes, mkdir, open, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT_FILES, ROOT_FOLDERS } from '../../executor/sandbox/scratch.ts'
import { readRoot } from './archive.ts'
import type { RootLimits, RootSink, RootSummary } from './archive.ts'

const FOLDER_MODE = 0o755
const FILE_MODE = 0o444
const PROGRAM_MODE = 0o555
/** A fixed time, which does not reveal when the root was unpacked. */
const EPOCH = new Date(0)
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants

/**
 * Unpacks an archive into a new folder. Rejects like `readRoot`, and with errors of the file system; the folder is then
 * incomplete and must not be used.
 */
export async function unpackRoot (
  archive: AsyncIterable<Uint8Array>, folder: string, limits: RootLimits, signal?: AbortSignal
): Promise<RootSummary> {
  await makeFolder(folder)
  const sink = new FolderSink(folder)
  const summary = await readRoot(archive, limits, sink, signal)
  await sink.end()
  return summary
}

class FolderSink implements RootSink {
  readonly #folder: string
  readonly #links: Array<{ at: string, target: string, mtime: Date }> = []
  /** by path; folders that the archive does not name have no time */
  readonly #times = new Map<string, Date>()

  constructor (folder: string) { this.#folder = folder }

  async folder (at: string[]): Promise<void> {
    const target = this.#pathOf(at)
    this.#times.set(target, EPOCH)
    await makeFolder(target)
  }

  folderTime (at: string[], mtime: Date): void { this.#times.set(this.#pathOf(at), mtime) }

  async file (
    at: string[], { executable, mtime }: { executable: boolean, mtime: Date }, data: AsyncIterable<Uint8Array>
  ): Promise<void> {
    const file = await open(this.#pathOf(at), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      for await (const chunk of data) await file.writeFile(chunk)
      await file.chmod(executable ? PROGRAM_MODE : FILE_MODE)
      await file.utimes(mtime, mtime)
    } finally {
      await file.close()
    }
  }

  async hardLink (at: string[], target: string[]): Promise<void> {
    await link(this.#pathOf(target), this.#pathOf(at))
  }

  symlink (at: string[], target: string, mtime: Date): void {
    this.#links.push({ at: this.#pathOf(at), target, mtime })
  }

  /** The whole archive has been read. */
  async end (): Promise<void> {
    for (const place of ROOT_FOLDERS) {
      const at = path.join(this.#folder, place)
      await makeFolder(at)
      this.#times.set(at, EPOCH)
    }
    for (const place of ROOT_FILES) await writeFile(path.join(this.#folder, place), '', { flag: 'wx', mode: FILE_MODE })
    for (const { at, target, mtime } of this.#links) {
      await symlink(target, at)
      await lutimes(at, mtime, mtime)
    }
    for (const [at, mtime] of this.#times) await utimes(at, mtime, mtime)
  }

  #pathOf (at: readonly string[]): string { return path.join(this.#folder, ...at) }
}

/** Independent of the umask. */
async function makeFolder (at: string): Promise<void> {
  await mkdir(at, { mode: FOLDER_MODE })
  await chmod(at, FOLDER_MODE)
}
