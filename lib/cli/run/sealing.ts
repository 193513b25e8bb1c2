/**
 * When `run` seals: if it is asked to, or if the task in its folder was sealed by `bitworker seal`, before or during
 * the run. The sealed torrent is seeded beside the task.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import { keptFiles } from '../../store/finished-files.ts'
import { replace } from '../../system/atomic-file.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { explain } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'

const LOOK_MS = 2000

/** The flag that decides whether to seal. */
export interface SealingFlags {
  seal?: boolean
  /** first agree with the connected peers on the results */
  agree?: boolean
}

/**
 * Seals the torrent each time that it is done. The returned function resolves when that is finished, if it was
 * requested.
 */
export function sealWhenDone (
  torrent: Torrent, { seal = false, agree = false }: SealingFlags, out: JsonOutput, screen: Screen
): () => Promise<void> {
  let attempt = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let isSealing = false
  const isWanted = (): boolean => seal || existsSync(keptFiles(torrent.path, torrent.infoHash).sealed)
  const look = (): void => {
    if (!isWanted() || isSealing) return
    clearInterval(timer)
    isSealing = true
    // while peers agree on results, the task is done again and again
    attempt = sealNow(torrent, agree, out, screen).finally(() => { isSealing = false })
  }
  torrent.on('done', () => {
    if (torrent.task === null || torrent.task.unsupported !== undefined) return
    clearInterval(timer)
    timer = setInterval(look, LOOK_MS).unref()
    look()
  })
  torrent.once('close', () => { clearInterval(timer) })
  return () => attempt
}

async function sealNow (torrent: Torrent, agree: boolean, out: JsonOutput, screen: Screen): Promise<void> {
  try {
    const sealed = await torrent.seal({ agree })
    const { infoHash, magnetURI, torrentFile } = sealed
    // the next run in this folder seeds it, too
    await replace(keptFiles(torrent.path, torrent.infoHash).sealed, torrentFile)
    out.emit('sealed', { infoHash, magnet: magnetURI })
    screen.note(`sealed: every BitTorrent client can fetch the files, also from here:\n  ${magnetURI}`)
  } catch (error) {
    if (torrent.destroyed) return
    const cause = explain(error, path.resolve(torrent.path)) as Error
    const code = cause instanceof BitWorkerError ? { code: cause.code } : {}
    out.emit('warning', { ...code, message: cause.message })
    screen.note(`Warning: The files were not sealed. ${cause.message}`)
  }
}
