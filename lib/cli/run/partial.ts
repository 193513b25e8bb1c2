/** `run --partial`: makes files of what is stored when a task ends early. */
import { BitWorkerError } from '../../base/errors.ts'
import { makePartialFiles } from '../../store/partial-files.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { explain } from '../output/failure.ts'
import { escapeText, formatBytes, formatRanges } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'

/** Makes the partial files when the torrent is closed, and prints what is missing, one line per file. Never rejects. */
export async function leavePartialFiles (
  { task, path }: Torrent, { force = false }: { force?: boolean }, out: JsonOutput, screen: Screen
): Promise<void> {
  if (task === null) return
  try {
    for (const { file, path: at, length, missing } of await makePartialFiles(task, { path, force })) {
      const which = `missing: ${missing.length === 1 ? 'part' : 'parts'} ${formatRanges(missing)}`
      out.emit('partial', { file, path: at, length, missing })
      if (at !== null) screen.note(`${escapeText(at)}  ${formatBytes(length)}, not finished; ${which}`)
      else if (task.completeCommand === undefined) screen.note(`${escapeText(file)}: no part of it is stored`)
      else screen.note(`${escapeText(file)}: not made, because its complete command needs all parts; ${which}`)
    }
  } catch (error) {
    const cause = explain(error, path) as Error
    out.emit('warning', { ...(cause instanceof BitWorkerError && { code: cause.code }), message: cause.message })
    screen.note(`Warning: No partial files were made. ${cause.message}`)
  }
}
