/**
 * Checks that the folders of a task are still those that were opened. Anyone who may write to the output folder could
 * replace one of them by a symbolic link, so that writes by path would end up elsewhere. The check takes place right
 * before each use. Node has no openat(2), so a change in the microseconds in between is not detected.
 */
import { statSync } from 'node:fs'
import { BitWorkerError } from '../../base/errors.ts'
import { lstatOrNull } from './folders.ts'
import type { StoreLayout } from './layout.ts'

/** A folder of the layout. */
export type GuardedFolder = 'folder' | 'root' | 'parts' | 'drafts' | 'work'

const GUARDED: readonly GuardedFolder[] = ['folder', 'root', 'parts', 'drafts', 'work']

interface Identity { dev: number, ino: number }

/** Remembers the folders to which the paths of a layout led when it was created. */
export class FolderGuard {
  readonly #layout: StoreLayout
  readonly #known: ReadonlyMap<GuardedFolder, Identity>

  /** The folders must exist and must have been checked (makeFolders). */
  constructor (layout: StoreLayout) {
    this.#layout = layout
    this.#known = new Map(GUARDED.map(name => [name, statSync(layout[name])]))
  }

  /** Whether the path still leads to the same folder. */
  isSame (name: GuardedFolder): boolean {
    const { dev, ino } = this.#known.get(name)!
    try {
      const now = statSync(this.#layout[name], { throwIfNoEntry: false })
      return now?.ino === ino && now.dev === dev
    } catch {
      return false
    }
  }

  /** Throws BW_ERR_SYMLINK or BW_ERR_OUTPUT_FOLDER if one of them leads elsewhere. */
  check (...names: GuardedFolder[]): void {
    const changed = names.find(name => !this.isSame(name))
    if (changed === undefined) return
    const at = this.#layout[changed]
    const isLink = lstatOrNull(at)?.isSymbolicLink() === true
    throw new BitWorkerError(
      isLink ? 'BW_ERR_SYMLINK' : 'BW_ERR_OUTPUT_FOLDER',
      'system',
      `${at} was removed or replaced while it was in use, so nothing more is written there. Put it back, then start again.`
    )
  }
}
