/**
 * Records the tasks that were made on this machine and whose author finishes their files: their complete commands run
 * here. In the folder of registry.ts, there is an empty file for each, named by its task digest. Called by
 * lib/inputs/make-task.ts and lib/webtorrent/torrent.ts.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { hexOf } from '../base/digest.ts'
import { replace } from '../system/atomic-file.ts'
import { registryFolder } from './registry.ts'

/** Records a task. Rejects with errors of the file system. */
export async function rememberMade (digest: Uint8Array, registry = registryFolder()): Promise<void> {
  const at = markOf(digest, registry)
  await mkdir(path.dirname(at), { recursive: true, mode: 0o700 })
  await replace(at, '', 0o600)
}

/** Whether the current user made the task on this machine. */
export function isMadeHere (digest: Uint8Array, registry = registryFolder()): boolean {
  return existsSync(markOf(digest, registry))
}

function markOf (digest: Uint8Array, registry: string): string { return path.join(registry, 'made', hexOf(digest)) }
