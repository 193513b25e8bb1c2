/**
 * Writes files atomically: after a crash a file is either complete or absent. Called by lib/config/trust-files.ts and
 * the command line.
 */
import { randomBytes } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'

/** Writes a file that must not exist yet. On failure, removes the incomplete file. Rejects with EEXIST. */
export async function writeNew (target: string, bytes: Uint8Array | string, mode = 0o666): Promise<void> {
  const file = await open(target, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } catch (error) {
    await rm(target, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

/** Writes a temporary file and renames it over the target, so that a full disk cannot damage the old one. */
export async function replace (target: string, bytes: Uint8Array | string, mode = 0o666): Promise<void> {
  await byDraft(target, bytes, mode, draft => rename(draft, target))
}

/** Like `replace`, but never overwrites a file: rejects with EEXIST. */
export async function publish (target: string, bytes: Uint8Array | string, mode = 0o666): Promise<void> {
  await byDraft(target, bytes, mode, async draft => {
    await link(draft, target)
    await rm(draft)
  })
}

async function byDraft (
  target: string, bytes: Uint8Array | string, mode: number, put: (draft: string) => Promise<void>
): Promise<void> {
  // not by the process id alone: in a container it is always the same, and a draft may be left from a crash
  const draft = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
  await writeNew(draft, bytes, mode)
  try {
    await put(draft)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
