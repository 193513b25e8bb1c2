/**
 * Lets one process at a time use a folder: a lock file with pid and start time, which is taken over when its process
 * has ended.
 */
import {
  linkSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf, ioError } from './io-errors.ts'
import { isRunning, startTimeOf } from './process-table.ts'

let count = 0

/** A lock that was taken. */
interface Lock {
  /** Whether its file is still in its place. */
  isHeld: () => boolean
  /** May be called twice. */
  release: () => void
}

function takeLock (file: string): Lock {
  const own = `${process.pid} ${startTimeOf(process.pid)}\n`
  const draft = `${file}.${process.pid}.${count++}`
  try {
    writeFileSync(draft, own, { flag: 'wx', mode: 0o600 })
    if (!create(file, draft, own)) takeOver(file, draft, own)
  } catch (err) {
    throw ioError(err, file)
  } finally {
    removeFile(draft)
  }
  // this process may have taken the same lock again, after its folder was removed
  const identity = identityOf(file)
  const isHeld = (): boolean => identity !== '' && identityOf(file) === identity && read(file) === own
  // it may have been made in a folder that was being removed
  if (!isHeld()) throw ioError(Object.assign(new Error(`${file} is gone`), { code: 'ENOENT' }), file)
  let isReleased = false
  const release = (): void => {
    if (!isReleased && isHeld()) removeFile(file)
    isReleased = true
  }
  return { isHeld, release }
}

/**
 * Takes the lock file `file`. The returned function releases it, and may be called twice. Throws BW_ERR_LOCKED if a
 * running process, including this one, holds it; BW_ERR_OUTPUT_FOLDER or BW_ERR_DISK_FULL if it cannot be written.
 */
export function acquireLock (file: string): () => void { return takeLock(file).release }

/** Whether a running process holds the lock file. */
export function isLocked (file: string): boolean {
  try {
    refuseIfAlive(read(file))
    return false
  } catch {
    return true
  }
}

/** The lock of a folder that whoever holds it may remove: `lock` in it. */
export class FolderLock {
  readonly #folder: string
  #lock: Lock

  /** Makes the folder if necessary, and takes its lock. Throws like `acquireLock`. */
  constructor (folder: string) {
    this.#folder = folder
    this.#lock = lockFolder(folder)
  }

  /** False if somebody has removed the folder, or moved it. */
  get isHeld (): boolean { return this.#lock.isHeld() }

  /** Takes the lock again, of a new folder. Throws like `acquireLock`. */
  again (): void { this.#lock = lockFolder(this.#folder) }

  release (): void { this.#lock.release() }
}

/** Begins anew when another process has removed the folder before the lock was taken. */
function lockFolder (folder: string): Lock {
  for (;;) {
    makeFolder(folder)
    const identity = identityOf(folder)
    try {
      return takeLock(path.join(folder, 'lock'))
    } catch (err) {
      const isLost = err instanceof BitWorkerError && errnoOf(err.cause) === 'ENOENT'
      const isSame = identity !== '' && identityOf(folder) === identity
      if (!isLost || isSame) throw err
    }
  }
}

/**
 * Not `recursive`: that fails if the folder is removed before it has looked at it, and calls a read-only file system
 * ENOENT.
 */
function makeFolder (folder: string, isParentMade = false): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (err) {
    const errno = errnoOf(err)
    if (errno === 'EEXIST') return refuseDangling(folder)
    const parent = path.dirname(folder)
    if (errno !== 'ENOENT' || isParentMade || parent === folder) throw ioError(err, folder)
    makeFolder(parent)
    makeFolder(folder, true)
  }
}

function refuseDangling (folder: string): void {
  const isLink = lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true
  if (!isLink || statSync(folder, { throwIfNoEntry: false }) !== undefined) return
  throw new BitWorkerError(
    'BW_ERR_SYMLINK', 'system', `Cannot use ${folder}: it is a symbolic link to nothing. Remove it, or make its target.`
  )
}

/** '' if there is no such file. */
function identityOf (file: string): string {
  const stats = lstatSync(file, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.birthtimeMs}`
}

/** Creates the file exclusively, and never half-written: the draft gets its final name only if that name is free. */
function create (file: string, draft: string, own: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (err) {
    if (errnoOf(err) === 'EEXIST') return false
    // the folder was removed with the draft: in a new one, others would see our lock before it is written
    if (errnoOf(err) === 'ENOENT') throw err
  }
  try {
    writeFileSync(file, own, { flag: 'wx', mode: 0o600 }) // a file system without hard links
    return true
  } catch (err) {
    if (errnoOf(err) === 'EEXIST') return false
    throw err
  }
}

function takeOver (file: string, draft: string, own: string): void {
  const stale = read(file)
  refuseIfAlive(stale)
  // a symbolic link or the like is not a lock
  if (isFile(file) === false) removeFile(file)
  const aside = `${draft}.stale`
  if (stale !== null) {
    try { renameSync(file, aside) } catch {} // another process was faster; create() will notice
  }
  const taken = read(aside)
  if (taken !== null && taken !== stale) putBack(file, aside, taken)
  removeFile(aside)
  if (!create(file, draft, own)) {
    refuseIfAlive(read(file))
    throw locked('unknown')
  }
}

/** Between our check and our rename, another process took over the lock: it keeps it. */
function putBack (file: string, aside: string, taken: string): never {
  try { linkSync(aside, file) } catch {}
  unlinkSync(aside)
  refuseIfAlive(taken)
  throw locked('unknown')
}

function refuseIfAlive (lock: string | null): void {
  const [pid = '', startTime = ''] = (lock ?? '').trim().split(' ')
  if (!/^[1-9]\d{0,9}$/.test(pid) || !isRunning(Number(pid))) return
  // the pid may have been reused by another program
  const now = startTimeOf(Number(pid))
  if (startTime === now || startTime === '' || now === '') throw locked(pid)
}

function locked (pid: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_LOCKED', 'usage', `Another bitworker (pid ${pid}) is using this folder for the same task.`
  )
}

function read (file: string): string | null {
  try {
    // reads neither through a symbolic link nor from a FIFO, which would block for ever
    return isFile(file) === true ? readFileSync(file, 'utf8') : null
  } catch {
    return null
  }
}

/** undefined if the path does not exist. */
function isFile (file: string): boolean | undefined {
  return lstatSync(file, { throwIfNoEntry: false })?.isFile()
}

function removeFile (file: string): void {
  try { rmSync(file, { force: true }) } catch {}
}
