/**
 * Lets one process at a time use a folder: a lock file with pid and start time, which is taken over when its process
 * has ended.
 */
import { linkSync, lstatSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf, ioError } from './io-errors.ts'
import { isRunning, startTimeOf } from './process-table.ts'

let count = 0

/**
 * Takes the lock file `path`. The returned function releases it, and may be called twice. Throws BW_ERR_LOCKED if a
 * running process, including this one, holds it; BW_ERR_OUTPUT_FOLDER or BW_ERR_DISK_FULL if it cannot be written.
 */
export function acquireLock (path: string): () => void {
  const own = `${process.pid} ${startTimeOf(process.pid)}\n`
  const draft = `${path}.${process.pid}.${count++}`
  try {
    writeFileSync(draft, own, { flag: 'wx', mode: 0o600 })
    if (!create(path, draft, own)) takeOver(path, draft, own)
  } catch (err) {
    throw ioError(err, path)
  } finally {
    removeFile(draft)
  }
  let isHeld = true
  return () => {
    if (isHeld && read(path) === own) removeFile(path)
    isHeld = false
  }
}

/** Creates the file exclusively, and never half-written: the draft gets its final name only if that name is free. */
function create (path: string, draft: string, own: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (err) {
    if (errnoOf(err) === 'EEXIST') return false
  }
  try {
    writeFileSync(path, own, { flag: 'wx', mode: 0o600 }) // a file system without hard links
    return true
  } catch (err) {
    if (errnoOf(err) === 'EEXIST') return false
    throw err
  }
}

function takeOver (path: string, draft: string, own: string): void {
  const stale = read(path)
  refuseIfAlive(stale)
  // a symbolic link or the like is not a lock
  if (isFile(path) === false) removeFile(path)
  const aside = `${draft}.stale`
  if (stale !== null) {
    try { renameSync(path, aside) } catch {} // another process was faster; create() will notice
  }
  const taken = read(aside)
  if (taken !== null && taken !== stale) putBack(path, aside, taken)
  removeFile(aside)
  if (!create(path, draft, own)) {
    refuseIfAlive(read(path))
    throw locked('unknown')
  }
}

/** Between our check and our rename, another process took over the lock: it keeps it. */
function putBack (path: string, aside: string, taken: string): never {
  try { linkSync(aside, path) } catch {}
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

function read (path: string): string | null {
  try {
    // reads neither through a symbolic link nor from a FIFO, which would block for ever
    return isFile(path) === true ? readFileSync(path, 'utf8') : null
  } catch {
    return null
  }
}

/** undefined if the path does not exist. */
function isFile (path: string): boolean | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile()
}

function removeFile (path: string): void {
  try { rmSync(path, { force: true }) } catch {}
}
