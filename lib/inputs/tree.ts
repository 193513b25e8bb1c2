/**
 * Lists the files of an input on its author's disk before anything is read. Their names must be valid for every
 * volunteer. Symbolic links inside the folder are followed; those that lead out are rejected. Called by
 * lib/inputs/hash.ts.
 */
import { readdir, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { textOf } from '../base/bencode.ts'
import { compareBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf } from '../system/io-errors.ts'
import { MAX_INPUT_FILES } from '../task/inputs.ts'
import { pathsProblem, quote } from '../task/names.ts'

/** A file of an input on disk. */
export interface SourceFile {
  /** its path */
  source: string
  /** components relative to the input's folder; none for an input that is a single file */
  path: string[]
  /** bytes */
  length: number
  /** time of modification, in milliseconds since 1970 */
  mtimeMs: number
  /** of any change */
  ctimeMs: number
  /** by its owner */
  executable: boolean
}

/** An input on disk. */
export interface SourceTree {
  isFolder: boolean
  /** for a folder, sorted by the bytes of their paths, joined by '/' */
  files: SourceFile[]
  /** bytes, all files */
  length: number
}

/** Lists the file or folder at a path. Rejects with BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED, BW_ERR_INPUT_SOURCE. */
export async function readTree (from: string): Promise<SourceTree> {
  try {
    const root = await realpath(from)
    const found = await stat(root)
    if (!found.isDirectory()) return sized(from, [fileOf(root, [], found)], false)
    const files: SourceFile[] = []
    await walk(root, [], { root, within: [root], files })
    files.sort((a, b) => compareBytes(Buffer.from(a.path.join('/')), Buffer.from(b.path.join('/'))))
    const problem = pathsProblem(files.map(file => file.path))
    if (problem !== null) throw sourceError(from, `has a file whose name ${problem}`)
    return sized(from, files, true)
  } catch (error) {
    throw readError(error, from)
  }
}

/**
 * A folder without its hidden files, which `*` of a shell does not name either: where each file makes a piece, nobody
 * expects them to. Throws BW_ERR_INPUT_SOURCE if nothing is left.
 */
export function withoutHidden (tree: SourceTree, from: string): SourceTree {
  if (!tree.isFolder) return tree
  return sized(from, tree.files.filter(file => file.path.every(name => !name.startsWith('.'))), true)
}

interface Walk {
  root: string
  /** the folders being walked, outermost first, so that none is walked inside itself */
  within: string[]
  files: SourceFile[]
}

async function walk (folder: string, above: string[], { root, within, files }: Walk): Promise<void> {
  for (const raw of await readdir(folder, { encoding: 'buffer' })) {
    const name = textOf(raw)
    if (name === undefined) throw sourceError(folder, 'has a file whose name is not UTF-8')
    const target = await realpath(path.join(folder, name))
    const at = [...above, name]
    if (target !== root && !target.startsWith(`${root}${path.sep}`)) {
      throw sourceError(path.join(folder, name), 'is a symbolic link that leads out of the input')
    }
    const found = await stat(target)
    if (found.isDirectory()) {
      if (within.includes(target)) {
        throw sourceError(path.join(folder, name), 'is a symbolic link to a folder that contains it')
      }
      await walk(target, at, { root, within: [...within, target], files })
    } else {
      files.push(fileOf(target, at, found))
    }
    if (files.length > MAX_INPUT_FILES) {
      throw sourceError(root, `has more than ${MAX_INPUT_FILES} files; pack them into one`)
    }
  }
}

function fileOf (source: string, at: string[], found: Awaited<ReturnType<typeof stat>>): SourceFile {
  if (!found.isFile()) throw sourceError(source, 'is neither a file nor a folder')
  return {
    source,
    path: at,
    length: Number(found.size),
    mtimeMs: Number(found.mtimeMs),
    ctimeMs: Number(found.ctimeMs),
    executable: (Number(found.mode) & 0o100) !== 0
  }
}

function sized (from: string, files: SourceFile[], isFolder: boolean): SourceTree {
  const length = files.reduce((sum, file) => sum + file.length, 0)
  if (length === 0) throw sourceError(from, 'is empty')
  return { isFolder, files, length }
}

/** Makes the error for files that cannot be used as an input. */
export function sourceError (at: string, why: string, cause?: unknown): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT_SOURCE', 'usage', `The input ${quote(at)} ${why}.`, { cause })
}

/** Converts an error of the file system to one of ours. */
export function readError (error: unknown, from: string): unknown {
  const errno = errnoOf(error)
  if (errno === '') return error
  const at = (error as NodeJS.ErrnoException).path ?? from
  if (errno === 'ENOENT') {
    const what = `${quote(at)} does not exist, or is a symbolic link that leads nowhere. Check the path.`
    return new BitWorkerError('BW_ERR_NOT_FOUND', 'usage', what, { cause: error })
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new BitWorkerError('BW_ERR_NOT_PERMITTED', 'usage', `You do not have permission to read ${quote(at)}. Change its permissions.`, { cause: error })
  }
  if (errno === 'EISDIR') return sourceError(at, 'is a folder, but a file is needed. Name a file', error)
  return sourceError(at, `cannot be read: ${(error as Error).message}`, error)
}
