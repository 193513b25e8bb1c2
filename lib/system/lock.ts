/**
 * One process at a time in a folder: a lock file with pid and start time, taken over when that process is gone.
 */
import { linkSync, lstatSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf, ioError } from './io-errors.ts'
import { isRunning, startTimeOf } from './process-table.ts'

let count = 0

/**
 * Takes the lock file `path`; returns what releases it (twice does no harm). Throws BW_ERR_LOCKED if a running process
 * has it, this one included; BW_ERR_OUTPUT_FOLDER and BW_ERR_DISK_FULL if it cannot be written.
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

/** Exclusive, and never seen half-written: the draft gets its final name only if nothing has it. */
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
  // a link or the like is nobody's lock
  if (isFile(path) === false) removeFile(path)
  const aside = `${draft}.stale`
  if (stale !== null) {
    try { renameSync(path, aside) } catch {} // someone else was faster, which create() will tell
  }
  const taken = read(aside)
  if (taken !== null && taken !== stale) putBack(path, aside, taken)
  removeFile(aside)
  if (!create(path, draft, own)) {
    refuseIfAlive(read(path))
    throw locked('unknown')
  }
}

/** Between our look and our rename, another process had taken the lock over: it keeps it. */
function putBack (path: string, aside: string, taken: string): never {
  try { linkSync(aside, path) } catch {}
  unlinkSync(aside)
  refuseIfAlive(taken)
  throw locked('unknown')
}

function refuseIfAlive (lock: string | null): void {
  const [pid = '', startTime = ''] = (lock ?? '').trim().split(' ')
  if (!/^[1-9]\d{0,9}$/.test(pid) || !isRunning(Number(pid))) return
  // the pid may have been given to another program since
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
    // neither through a link, nor from a FIFO, which would hold us for ever
    return isFile(path) === true ? readFileSync(path, 'utf8') : null
  } catch {
    return null
  }
}

/** undefined: there is nothing. */
function isFile (path: string): boolean | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile()
}

function removeFile (path: string): void {
  try { rmSync(path, { force: true }) } catch {}
}
