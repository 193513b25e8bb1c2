/**
 * Sees that the folders of a task are still those that were opened: whoever may write to the output folder could put a
 * symbolic link in the place of one of them meanwhile, and what is written by its path would land elsewhere.
 * Looked at right before each use; Node has no openat(2), so what happens in the microseconds in between is not seen.
 */
import { statSync } from 'node:fs'
import { BitWorkerError } from '../../base/errors.ts'
import { lstatOrNull } from './folders.ts'
import type { StoreLayout } from './layout.ts'

/** A folder of the layout. */
export type GuardedFolder = 'folder' | 'root' | 'parts' | 'drafts' | 'work'

const GUARDED: readonly GuardedFolder[] = ['folder', 'root', 'parts', 'drafts', 'work']

interface Identity { dev: number, ino: number }

/** Remembers which folders the paths of a layout led to when it was made. */
export class FolderGuard {
  readonly #layout: StoreLayout
  readonly #known: ReadonlyMap<GuardedFolder, Identity>

  /** The folders must exist, and were checked (makeFolders). */
  constructor (layout: StoreLayout) {
    this.#layout = layout
    this.#known = new Map(GUARDED.map(name => [name, statSync(layout[name])]))
  }

  /** Whether the path leads to where it led. */
  isSame (name: GuardedFolder): boolean {
    const { dev, ino } = this.#known.get(name)!
    try {
      const now = statSync(this.#layout[name], { throwIfNoEntry: false })
      return now?.ino === ino && now.dev === dev
    } catch {
      return false
    }
  }

  /** Throws BW_ERR_SYMLINK or BW_ERR_OUTPUT_FOLDER if one of them does not. */
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
