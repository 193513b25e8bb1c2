/** Reads a task's log (piece-log.ts), whether or not a client is writing it. Never throws for what a file contains. */
import { closeSync, readSync } from 'node:fs'
import path from 'node:path'
import { openRegular } from '../system/file-io.ts'
import { StoreLayout } from './files/layout.ts'
import { MAX_LINE_BYTES, decodeEntry } from './log-entries.ts'
import type { LogEntry } from './log-entries.ts'

export type { LogEntry }

const CHUNK_BYTES = 64 * 1024

/** Which log is read: all attempts, or those that failed, which are kept for longer. */
export type LogName = 'pieces' | 'failures'

/**
 * The entries in the order in which they were written; none if the task has no log in `folder`. Reads little by little.
 * @param folder the output folder
 */
export function * readPieceLog (folder: string, infoHash: string, name: LogName): Generator<LogEntry> {
  const { log } = new StoreLayout(folder, infoHash)
  for (const file of [`${name}.old.jsonl`, `${name}.jsonl`]) {
    for (const line of linesOf(path.join(log, file))) {
      const entry = decodeEntry(line)
      if (entry !== null) yield entry
    }
  }
}

/** The lines of a file; none if it is not there, or cannot be read. Those that are too long are left out. */
function * linesOf (file: string): Generator<string> {
  let fd = -1
  try {
    fd = openRegular(file)
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    let rest = Buffer.alloc(0)
    let isTooLong = false
    for (;;) {
      const length = readSync(fd, chunk)
      if (length === 0) return
      let from = 0
      for (let end; (end = chunk.subarray(0, length).indexOf(10, from)) !== -1; from = end + 1) {
        const line = Buffer.concat([rest, chunk.subarray(from, end)])
        rest = Buffer.alloc(0)
        if (!isTooLong && line.length <= MAX_LINE_BYTES) yield line.toString('utf8')
        isTooLong = false
      }
      rest = Buffer.concat([rest, chunk.subarray(from, length)])
      if (rest.length <= MAX_LINE_BYTES) continue
      isTooLong = true
      rest = Buffer.alloc(0)
    }
  } catch {
    // gone, or not ours: what was read of it is what there is
  } finally {
    if (fd !== -1) closeSync(fd)
  }
}
