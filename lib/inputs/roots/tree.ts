/**
 * The contents of an archive so far, as they will be in the folder that it is unpacked into. A model in memory, so that
 * nothing is looked up on disk, where links could be followed. Pure. Used by lib/inputs/roots/archive.ts.
 */
import { quote } from '../../task/names.ts'
import { checkLink, RootFlaw } from './names.ts'

/** A folder has its entries. A link leads nowhere here: only programs in the root follow it. */
type Node = Map<string, Node> | 'file' | 'link'

/** The folders, files and links of a root. */
export class RootTree {
  readonly #root = new Map<string, Node>()

  /** Enters a folder, which may already exist. Returns the new folders, outermost first. Throws RootFlaw. */
  addFolder (path: readonly string[]): string[][] { return this.#enter(path, path) }

  /** @param entry the entry in the archive, which may be below it */
  #enter (path: readonly string[], entry: readonly string[]): string[][] {
    const added: string[][] = []
    let folder = this.#root
    for (const [i, name] of path.entries()) {
      const found = folder.get(name)
      if (found === undefined) added.push(path.slice(0, i + 1))
      else if (typeof found === 'string') throw inTheWay(entry, i + 1, found)
      const next = found ?? new Map<string, Node>()
      if (found === undefined) folder.set(name, next)
      folder = next
    }
    return added
  }

  /** Enters a file with a new name. Returns the new folders as well. Throws RootFlaw. */
  addFile (path: readonly string[]): string[][] { return this.#add(path, 'file') }

  /** Enters another name of an existing file. Like `addFile`. */
  addHardLink (path: readonly string[], target: readonly string[]): string[][] {
    if (this.#find(target) !== 'file') {
      throw new RootFlaw(`has a hard link to what is no file before it: ${quote(path.join('/'))} to ${quote(target.join('/'))}`)
    }
    return this.#add(path, 'file')
  }

  /** Enters a symbolic link. Like `addFile`. */
  addSymlink (path: readonly string[], target: string): string[][] {
    checkLink(path, target)
    return this.#add(path, 'link')
  }

  #add (path: readonly string[], node: 'file' | 'link'): string[][] {
    const name = path.at(-1)
    if (name === undefined) throw new RootFlaw('has an entry without a name')
    const added = this.#enter(path.slice(0, -1), path)
    const folder = this.#find(path.slice(0, -1)) as Map<string, Node>
    if (folder.has(name)) throw new RootFlaw(`has the same name twice: ${quote(path.join('/'))}`)
    folder.set(name, node)
    return added
  }

  #find (path: readonly string[]): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path) node = typeof node === 'object' ? node.get(name) : undefined
    return node
  }
}

function inTheWay (entry: readonly string[], depth: number, node: 'file' | 'link'): RootFlaw {
  const what = depth === entry.length ? 'the same name twice' : `an entry below a ${node}`
  return new RootFlaw(`has ${what}: ${quote(entry.join('/'))}`)
}
