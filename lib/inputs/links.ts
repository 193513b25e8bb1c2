/**
 * The symbolic links of an input (BEP 47): what they may lead to, and how they are made on disk. Nothing here follows
 * one. Used by the code that reads and makes input torrents, and by the cache.
 */
import { lstatSync, lutimesSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { quote } from '../task/names.ts'

/** Linux follows 40. */
const MAX_LINKS_IN_A_ROW = 8

/** A symbolic link; both paths are components joined by '/', relative to the input's folder. */
export interface InputLink {
  path: string
  /** BEP 47 `symlink path`: a file, a folder or another link of the same input */
  target: string
}

/**
 * What is wrong with the links of an input, beginning with the one that is wrong; null if nothing is. Every link must
 * lead to an entry of the input, in few steps, so that neither leads out nor round in circles.
 *
 * @param files paths, as those of the links
 */
export function linksProblem (links: readonly InputLink[], files: readonly string[]): string | null {
  if (links.length === 0) return null
  const targets = new Map(links.map(link => [link.path, link.target]))
  const folders = new Set([...files, ...targets.keys()].flatMap(foldersOf))
  const entries = new Set([...files, ...folders])
  const below = new Map<string, string[]>()
  for (const link of links) {
    const end = endOf(link, targets)
    if (end === null) return `${quote(link.path)} leads round in circles, or through more than ${MAX_LINKS_IN_A_ROW} links`
    if (!entries.has(end)) return `${quote(link.path)} leads to nothing in it`
    if (!folders.has(end)) continue
    for (const folder of foldersOf(link.path)) {
      const ends = below.get(folder)
      if (ends === undefined) below.set(folder, [end])
      else ends.push(end)
    }
  }
  return nestingProblem(below)
}

/** The folders that an entry is in, below the input's own. */
function foldersOf (at: string): string[] {
  const folders: string[] = []
  for (let end = at.lastIndexOf('/'); end > 0; end = at.lastIndexOf('/', end - 1)) folders.push(at.slice(0, end))
  return folders
}

/** What is not a link, at the end of a chain of links; null: too long, or without end. */
function endOf ({ target }: InputLink, targets: ReadonlyMap<string, string>): string | null {
  let at = target
  for (let count = 1; count <= MAX_LINKS_IN_A_ROW; count++) {
    const next = targets.get(at)
    if (next === undefined) return at
    at = next
  }
  return null
}

/**
 * Links to folders in which there are links to folders: whoever walks through them must arrive.
 *
 * @param below the folders that are led to from anywhere in a folder
 */
function nestingProblem (below: ReadonlyMap<string, readonly string[]>): string | null {
  /** links in a row that begin in a folder */
  const heights = new Map<string, number>()
  const heightOf = (folder: string, depth: number): number => {
    const known = heights.get(folder)
    if (known !== undefined || depth > MAX_LINKS_IN_A_ROW) return known ?? Infinity
    let height = 0
    for (const each of below.get(folder) ?? []) {
      height = Math.max(height, 1 + heightOf(each, depth + 1))
      if (height === Infinity) return height
    }
    heights.set(folder, height)
    return height
  }
  for (const folder of below.keys()) {
    if (heightOf(folder, 0) <= MAX_LINKS_IN_A_ROW) continue
    return `${quote(folder)} has links to folders that lead round in circles, or through more than ${MAX_LINKS_IN_A_ROW} links`
  }
  return null
}

/** Makes the links of an input in its folder, where they are not there yet. Throws errors of the file system. */
export function makeLinks (root: string, links: readonly InputLink[]): void {
  for (const link of links) {
    if (isLinkThere(root, link)) continue
    const at = path.join(root, link.path)
    rmSync(at, { recursive: true, force: true })
    mkdirSync(path.dirname(at), { recursive: true, mode: 0o755 })
    symlinkSync(textOfLink(link), at)
    lutimesSync(at, 0, 0)
  }
}

/** It is in its place as `makeLinks` has made it. Never throws. */
export function isLinkThere (root: string, link: InputLink): boolean {
  const at = path.join(root, link.path)
  try {
    const stats = lstatSync(at)
    return stats.isSymbolicLink() && stats.mtimeMs === 0 && readlinkSync(at) === textOfLink(link)
  } catch {
    return false
  }
}

/** No link is above another entry, so the way that is written is the way that is taken. */
function textOfLink ({ path: at, target }: InputLink): string {
  return path.posix.relative(path.posix.dirname(at), target)
}
