/**
 * Finds inputs in files and folders of this machine that a user names: the same content has the same info-hash. Called
 * by the command line.
 */
import path from 'node:path'
import { decodeDict, encode } from '../base/bencode.ts'
import { sha1Hex } from '../base/digest.ts'
import { hashTree } from './hash.ts'
import { readLayout } from './metainfo.ts'
import { isAsHashed } from './original.ts'
import type { FoundInput } from './original.ts'
import { findInput } from './registry.ts'
import { readTree } from './tree.ts'
import type { SourceTree } from './tree.ts'

/**
 * Returns a function that finds inputs by info-hash: those that were made on this machine and have not changed since,
 * and those at the paths, which are read once, when they are first needed. It rejects with BW_ERR_NOT_FOUND,
 * BW_ERR_NOT_PERMITTED, BW_ERR_INPUT_SOURCE.
 */
export function lookIn (paths: readonly string[]): (infoHash: string) => Promise<FoundInput | null> {
  let hashed: Promise<Map<string, FoundInput>> | null = null
  return async infoHash => {
    const made = await findInput(infoHash)
    if (paths.length === 0 || (made !== null && isUnchanged(made))) return made
    hashed ??= hashAll(paths)
    return (await hashed).get(infoHash) ?? made
  }
}

function isUnchanged (made: FoundInput): boolean {
  try {
    return isAsHashed(made, readLayout(made.info, made.path))
  } catch {
    return false // the registry has no valid metadata
  }
}

async function hashAll (paths: readonly string[]): Promise<Map<string, FoundInput>> {
  const found = new Map<string, FoundInput>()
  for (const at of paths) {
    const root = path.resolve(at)
    const tree = await readTree(root)
    // for one file per piece, links are followed
    const trees = tree.links.length === 0 ? [tree] : [tree, await readTree(root, { follow: true })]
    for (const each of trees) await hashInto(found, each, root)
  }
  return found
}

async function hashInto (found: Map<string, FoundInput>, tree: SourceTree, root: string): Promise<void> {
  const info = await hashTree(tree, { name: path.basename(root) })
  const files = tree.files.map(({ length, mtimeMs, ctimeMs }) => ({ length, mtimeMs, ctimeMs }))
  for (const each of [info, privately(info)]) found.set(sha1Hex(each), { info: each, path: root, files })
}

/** The form that inputs of a private task have (BEP 27). */
function privately (info: Uint8Array): Uint8Array {
  return encode(new Map([...decodeDict(info, { maxBytes: info.length }).dict, ['private', 1]]))
}
