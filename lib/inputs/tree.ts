/**
 * Lists the files of an input on its author's disk before anything is read. Their names must be valid for every
 * volunteer. Symbolic links inside the folder are kept, or followed where each file stands for itself; those that lead
 * out are rejected. Called by lib/inputs/make-task.ts.
 */
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { textOf } from '../base/bencode.ts'
import { compareBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf } from '../system/io-errors.ts'
import { MAX_INPUT_FILES } from '../task/inputs.ts'
import { pathsProblem, quote } from '../task/names.ts'
import { linksProblem } from './links.ts'
import type { InputLink } from './links.ts'

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
  /** none if they were followed, and for a single file */
  links: InputLink[]
  /** bytes, all files */
  length: number
}

/**
 * Lists the file or folder at a path. Rejects with BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED, BW_ERR_INPUT_SOURCE.
 *
 * @param follow take what a symbolic link in a folder leads to in its place
 */
export async function readTree (from: string, { follow = false } = {}): Promise<SourceTree> {
  try {
    const root = await realpath(from)
    const found = await stat(root)
    if (!found.isDirectory()) return sized(from, { files: [fileOf(root, [], found)], links: [], isFolder: false })
    const files: SourceFile[] = []
    const kept: FoundLink[] = []
    await walk(root, [], { root, within: [root], files, links: follow ? null : kept })
    files.sort((a, b) => compareBytes(Buffer.from(a.path.join('/')), Buffer.from(b.path.join('/'))))
    const links = notToNothing(kept, files)
    const problem = pathsProblem([...files.map(file => file.path), ...links.map(link => link.path.split('/'))])
    if (problem !== null) throw sourceError(from, `has a file whose name ${problem}`)
    const astray = linksProblem(links, files.map(file => file.path.join('/')))
    if (astray !== null) throw sourceError(from, `has a symbolic link that cannot be kept: ${astray}`)
    return sized(from, { files, links, isFolder: true })
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
  return sized(from, { ...tree, files: tree.files.filter(file => file.path.every(name => !name.startsWith('.'))) })
}

interface Walk {
  root: string
  /** the folders being walked, outermost first, so that none is walked inside itself */
  within: string[]
  files: SourceFile[]
  /** null: they are followed */
  links: FoundLink[] | null
}

/** `end`: what is there in the end, if the target is a link, too */
interface FoundLink extends InputLink { end: string }

async function walk (folder: string, above: string[], { root, within, files, links }: Walk): Promise<void> {
  for (const raw of await readdir(folder, { encoding: 'buffer' })) {
    const name = textOf(raw)
    if (name === undefined) throw sourceError(folder, 'has a file whose name is not UTF-8')
    const target = await realpath(path.join(folder, name))
    const at = [...above, name]
    if (!isWithin(root, target)) {
      throw sourceError(path.join(folder, name), 'is a symbolic link that leads out of the input')
    }
    const found = await stat(target)
    const isLink = links !== null && (await lstat(path.join(folder, name))).isSymbolicLink()
    if (isLink && (found.isFile() || (found.isDirectory() && !within.includes(target)))) {
      links.push(await linkOf(path.join(folder, name), at.join('/'), { root, end: target }))
    } else if (found.isDirectory()) {
      if (within.includes(target)) {
        throw sourceError(path.join(folder, name), 'is a symbolic link to a folder that contains it')
      }
      await walk(target, at, { root, within: [...within, target], files, links })
    } else {
      files.push(fileOf(target, at, found))
    }
    if (files.length + (links?.length ?? 0) > MAX_INPUT_FILES) {
      throw sourceError(root, `has more than ${MAX_INPUT_FILES} files; pack them into one`)
    }
  }
}

/** It may lead to another link, which is kept, too; what is between them outside of the input is left out. */
async function linkOf (source: string, at: string, { root, end }: { root: string, end: string }): Promise<FoundLink> {
  const text = await readlink(source)
  const name = path.basename(text)
  // not joined, as that would take `..` for the folder above a link, and not above what it leads to
  const above = text.startsWith('/') ? path.dirname(text) : `${path.dirname(source)}/${path.dirname(text)}`
  const direct = ['.', '..', ''].includes(name) ? end : path.join(await realpath(above), name)
  const relative = (to: string): string => path.relative(root, to).split(path.sep).join('/')
  return { path: at, target: relative(isWithin(root, direct) ? direct : end), end: relative(end) }
}

/** A folder without files is not part of an input, and a link to one neither. */
function notToNothing (links: readonly FoundLink[], files: readonly SourceFile[]): InputLink[] {
  const entries = new Set<string>()
  for (const at of [...files.map(file => file.path), ...links.map(link => link.path.split('/'))]) {
    for (let depth = 1; depth <= at.length; depth++) entries.add(at.slice(0, depth).join('/'))
  }
  return links.filter(({ end }) => entries.has(end)).map(({ path: at, target }) => ({ path: at, target }))
}

function isWithin (root: string, at: string): boolean { return at === root || at.startsWith(`${root}${path.sep}`) }

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

function sized (from: string, tree: Omit<SourceTree, 'length'>): SourceTree {
  const length = tree.files.reduce((sum, file) => sum + file.length, 0)
  if (length === 0) throw sourceError(from, 'is empty')
  return { ...tree, length }
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
  if (errno === 'ELOOP') return sourceError(at, 'is a symbolic link that leads round in circles', error)
  if (errno === 'EISDIR') return sourceError(at, 'is a folder, but a file is needed. Name a file', error)
  return sourceError(at, `cannot be read: ${(error as Error).message}`, error)
}
