/**
 * The folders that work items run in. Making and removing one for every item would take longer than a tiny item does
 * (on some disks milliseconds), so an untouched folder is used again. Its ctime shows whether it was touched: it
 * changes with every entry that is created, renamed or removed, and with mode, owner and attributes.
 */
import { lstatSync, mkdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { checkBindsExist } from '../../executor/binds.ts'
import type { Binds } from '../../executor/binds.ts'
import { ioError } from '../../system/io-errors.ts'
import { removeFile, removeTree } from './folders.ts'

/**
 * A ctime is only as exact as the clock's tick (1 to 10 ms): a change of a folder younger than this may go unnoticed.
 */
const SURE_AFTER_NS = 50_000_000n
/** Number of folders kept: as many concurrent work items are cheap. */
const MAX_KEPT = 64

/**
 * Makes the folder that a command runs in, with the binds as links. Throws BW_ERR_BIND, BW_ERR_DISK_FULL,
 * BW_ERR_OUTPUT_FOLDER.
 */
export function makeScratch (scratch: string, binds: Binds): void {
  try {
    mkdirSync(scratch, { mode: 0o700 })
    checkBindsExist(binds)
    linkInto(scratch, binds)
  } catch (err) {
    throw ioError(err, scratch)
  }
}

/** Links the files into the folder under their names. Throws BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER. */
export function linkInto (scratch: string, files: ReadonlyArray<{ path: string, name: string }>): void {
  try {
    for (const { path: from, name } of files) {
      const at = path.join(scratch, name)
      if (name.includes('/')) mkdirSync(path.dirname(at), { recursive: true })
      symlinkSync(from, at)
    }
  } catch (err) {
    throw ioError(err, scratch)
  }
}

/** Removes the links first: a folder that is then empty is removed without being searched. Never throws. */
async function removeScratch (scratch: string, binds: Binds): Promise<void> {
  for (const { name } of binds) removeFile(path.join(scratch, name))
  await removeTree(scratch)
}

/** A folder for one work item at a time. */
export interface Scratch {
  readonly path: string
  readonly binds: Binds
  /** its ctime when it was made; any other value means that it was touched */
  readonly ctimeNs: bigint
  /** it is old enough for its ctime to show any change */
  isSure: boolean
}

/** The scratch folders of a task. */
export class ScratchFolders {
  readonly #newPath: () => string
  /** oldest first */
  readonly #free: Scratch[] = []

  /** @param newPath returns paths that nobody else uses */
  constructor (newPath: () => string) {
    this.#newPath = newPath
  }

  /** Returns a folder that contains only the binds. Throws like makeScratch. */
  take (binds: Binds): Scratch {
    const [free] = this.#free
    if (free === undefined) return this.#make(binds)
    free.isSure ||= BigInt(Date.now()) * 1_000_000n - free.ctimeNs > SURE_AFTER_NS
    if (!free.isSure) return this.#make(binds)
    this.#free.shift()
    if (free.binds !== binds || isTouched(free)) {
      void removeScratch(free.path, free.binds)
      return this.#make(binds)
    }
    checkBindsExist(binds)
    return free
  }

  /** The item has ended. If it succeeded, similar ones may follow. Never rejects. */
  async giveBack (scratch: Scratch, isGood: boolean): Promise<void> {
    if (isGood && this.#free.length < MAX_KEPT && scratch.isSure && !isTouched(scratch)) {
      this.#free.push(scratch)
      return
    }
    await removeScratch(scratch.path, scratch.binds)
    if (!isGood || this.#free.length >= MAX_KEPT) return
    // made now, so that its ctime is old enough when it is needed
    try { this.#free.push(this.#make(scratch.binds)) } catch {} // the next item reports the error
  }

  /** Removes the folders that are not in use. */
  async close (): Promise<void> {
    await Promise.all(this.#free.splice(0).map(async ({ path: at, binds }) => removeScratch(at, binds)))
  }

  #make (binds: Binds): Scratch {
    const at = this.#newPath()
    makeScratch(at, binds)
    return { path: at, binds, ctimeNs: ctimeOf(at) ?? 0n, isSure: false }
  }
}

function isTouched ({ path: at, ctimeNs }: Scratch): boolean {
  return ctimeOf(at) !== ctimeNs
}

function ctimeOf (at: string): bigint | undefined {
  return lstatSync(at, { bigint: true, throwIfNoEntry: false })?.ctimeNs
}
