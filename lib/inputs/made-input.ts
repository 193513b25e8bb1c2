/**
 * From files to an input of a task: they are hashed, and it is recorded where they are, so that `run` on this machine
 * finds them. Called by lib/inputs/make-task.ts.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { sha1Hex, sha256 } from '../base/digest.ts'
import { errnoOf } from '../system/io-errors.ts'
import type { TorrentInput } from '../task/types.ts'
import { hashTree } from './hash.ts'
import type { SlicedList } from './lists.ts'
import { readLayout } from './metainfo.ts'
import { dataFolder, rememberInput } from './registry.ts'
import { readTree } from './tree.ts'
import type { SourceTree } from './tree.ts'

/** How inputs of one task are hashed. */
export interface Hashing {
  pieceCount: number | undefined
  private: boolean
  registry: string
  onProgress: (bytes: number) => void
  signal: AbortSignal | undefined
}

/** An input torrent that was made. */
interface Hashed { info: Uint8Array, input: TorrentInput }

/** Makes the torrent of files. Rejects as `hashTree`. */
export async function hashed (
  tree: SourceTree, name: string, { signal, onProgress, ...opts }: Hashing
): Promise<Hashed> {
  const info = await hashTree(tree, {
    name, private: opts.private, onProgress, ...(signal !== undefined && { signal })
  })
  return { info, input: inputOf(info, name) }
}

/** Records where the files of an input are. */
export async function remember (
  { info, input }: Hashed, tree: SourceTree, from: string, { registry }: Hashing
): Promise<void> {
  const files = tree.files.map(({ length, mtimeMs, ctimeMs }) => ({ length, mtimeMs, ctimeMs }))
  await rememberInput(input.infoHash, { info, path: from, files }, registry)
}

/** Writes the list to a folder of our own, since its two files are not the user's. */
export async function storeList ({ data, offsets }: SlicedList, name: string, hashing: Hashing): Promise<TorrentInput> {
  return await storeOwn(name, hashing, async draft => {
    await mkdir(draft, { mode: 0o700 })
    await writeFile(path.join(draft, 'data'), data)
    await writeFile(path.join(draft, 'slices'), offsets)
  })
}

/**
 * Makes an input of files of our own, which stay where they are written. Rejects as `hashed`, and as `write`.
 *
 * @param write makes a file or folder at a path
 */
export async function storeOwn (
  name: string, hashing: Hashing, write: (draft: string) => Promise<void>
): Promise<TorrentInput> {
  const draft = path.join(hashing.registry, `draft-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(hashing.registry, { recursive: true, mode: 0o700 })
    await write(draft)
    const made = await hashed(await readTree(draft), name, hashing)
    const target = dataFolder(made.input.infoHash, hashing.registry)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
    await rename(draft, target).catch((error: unknown) => {
      // it was made before
      if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error))) throw error
    })
    await remember(made, await readTree(target), target, hashing)
    return made.input
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** The input that an info dictionary describes. Throws BW_ERR_INPUT. */
export function inputOf (info: Uint8Array, name: string): TorrentInput {
  const { length, isFolder, files } = readLayout(info, name)
  return { name, length, infoHash: sha1Hex(info), sha256: sha256(info), ...(isFolder && { files: files.length }) }
}
