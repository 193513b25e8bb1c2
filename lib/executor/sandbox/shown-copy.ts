/**
 * Copies the small part of what every command sees of /etc and /var. bwrap takes a quarter of a millisecond per mount,
 * and two mounts then show all of it. All sandboxes of a process share one copy. The next process removes the copy of
 * one that was killed.
 */
import {
  chmodSync, copyFileSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync, statSync,
  symlinkSync, utimesSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { errnoOf } from '../../system/io-errors.ts'
import { isLeft, ownPrefix } from '../process/own-name.ts'
import { isFolder, isRoot } from './host.ts'
import { GROUP, PASSWD, shownHere, shownOf } from './shown.ts'
import type { Shown, ShownMounts } from './shown.ts'

/** Anything larger is mounted by itself. */
const SMALL = { entries: 100, bytes: 1024 ** 2 }
/**
 * How long a copy is used; commands that have started with it keep it for as long again. Packages are upgraded in the
 * meantime.
 */
const AGE_MS = 24 * 3_600_000
/** Root can write to the last one at least, and everybody may enter it. */
const PLACES = ['/dev/shm', tmpdir(), '/tmp', '/var/tmp', '/run']

interface Copy extends ShownMounts { folder: string, madeAt: number }

let newest: Copy | null = null
let before: Copy | null = null

/** The mounts for this machine. Throws if no folder for the copy can be made. */
export function shownMounts (): ShownMounts {
  if (newest !== null && performance.now() - newest.madeAt < AGE_MS && isThere(newest)) return newest
  if (newest === null) process.once('exit', () => { for (const each of [newest, before]) remove(each?.folder) })
  const made = make(newest === null ? shownHere() : shownOf())
  remove(before?.folder)
  before = newest
  return newest = made
}

function make (shown: readonly Shown[]): Copy {
  let cause: unknown
  for (const place of PLACES.filter(isForCommands)) {
    let folder: string | undefined
    try {
      removeLeft(place)
      folder = mkdtempSync(path.join(place, ownPrefix()))
      return copyOf(shown, folder)
    } catch (err) {
      cause = err
      remove(folder)
    }
  }
  throw cause
}

/** If we are root, commands run as another user. */
function isForCommands (place: string): boolean {
  try {
    if (!isRoot()) return true
    for (let at = realpathSync(place); at !== path.dirname(at); at = path.dirname(at)) {
      if ((statSync(at).mode & 0o001) === 0) return false
    }
    return true
  } catch {
    return false
  }
}

function removeLeft (place: string): void {
  for (const name of readdirSync(place).filter(isLeft)) {
    const at = path.join(place, name)
    if (lstatSync(at, { throwIfNoEntry: false })?.uid === process.getuid?.()) remove(at)
  }
}

/** If it cannot be removed, it is left to the system. */
function remove (folder: string | undefined): void {
  try { if (folder !== undefined) rmSync(folder, { recursive: true, force: true }) } catch {}
}

/** Systems clear such folders, too. */
function isThere ({ folder }: Copy): boolean {
  return statSync(path.join(folder, 'etc', 'passwd'), { throwIfNoEntry: false }) !== undefined
}

/** @internal Copies the small parts into an empty folder. For tests. */
export function copyOf (shown: readonly Shown[], folder: string): Copy {
  chmodSync(folder, 0o711)
  const others: Shown[] = []
  for (const each of shown) {
    const entries = entriesOf(each)
    if (entries === null) others.push(each)
    for (const { from, isHidden } of entries ?? [{ from: each.path, isHidden: true }]) {
      copy(from, path.join(folder, from), { isHidden, follows: from === each.path })
    }
  }
  const etc = path.join(folder, 'etc')
  makeFolder(etc)
  for (const [name, text] of [['passwd', PASSWD], ['group', GROUP]] as const) write(path.join(etc, name), text)
  symlinkSync('/usr/share/zoneinfo/Etc/UTC', path.join(etc, 'localtime'))
  const copies = readdirSync(folder).map(name => ({ path: path.join(folder, name), at: `/${name}` }))
  const hidden = others.flatMap(each => each.hidden).map(at => ({ path: at, isFolder: isFolder(at) }))
  return { folder, madeAt: performance.now(), copies, others: others.map(({ path: at }) => at), hidden }
}

interface Entry { from: string, isHidden: boolean }

/** The path and everything in it, parents first; null if that is too much. */
function entriesOf ({ path: top, hidden }: Shown): Entry[] | null {
  const entries: Entry[] = [{ from: top, isHidden: false }]
  let bytes = 0
  for (const { from, isHidden } of entries) {
    const stats = (from === top ? statSync : lstatSync)(from, { throwIfNoEntry: false })
    if (isHidden || stats === undefined) continue
    if (stats.isFile()) bytes += stats.size
    const names = stats.isDirectory() ? readdirSync(from) : []
    if (bytes > SMALL.bytes || entries.length + names.length > SMALL.entries) return null
    for (const each of names.map(name => path.join(from, name))) {
      entries.push({ from: each, isHidden: hidden.includes(each) })
    }
  }
  return entries
}

/** Copies everything but the owner. For hidden files, only their existence is copied. */
function copy (from: string, to: string, { isHidden, follows }: { isHidden: boolean, follows: boolean }): void {
  try {
    makeFolder(path.dirname(to))
    const stats = follows ? statSync(from) : lstatSync(from)
    if (stats.isDirectory()) makeFolder(to)
    else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to)
    else if (isHidden) write(to, '')
    else {
      copyFileSync(from, to)
      utimesSync(to, stats.atime, stats.mtime)
    }
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') throw err // a package is being upgraded
  }
}

/** Readable by everybody, whatever the umask. */
function write (at: string, text: string): void {
  writeFileSync(at, text)
  chmodSync(at, 0o644)
}

function makeFolder (at: string): void {
  if (statSync(at, { throwIfNoEntry: false }) !== undefined) return
  makeFolder(path.dirname(at))
  mkdirSync(at)
  chmodSync(at, 0o755)
}
