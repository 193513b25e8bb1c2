/** Checks that the paths of `--bind` exist before anything starts. */
import { access } from 'node:fs/promises'
import { BitWorkerError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'

/** Throws BW_ERR_BIND. */
export async function checkBinds (binds: Bind[]): Promise<void> {
  for (const { path } of binds) {
    const cause = await access(path).then(() => null, (error: unknown) => error)
    if (cause !== null) {
      throw new BitWorkerError('BW_ERR_BIND', 'usage', `--bind ${path}: ${await reason(path)}`, { cause })
    }
  }
}

/**
 * Detects `--bind NAME:PATH`, which is the wrong way round: everything after a colon with a slash belongs to the path.
 */
async function reason (path: string): Promise<string> {
  const [, first = '', second = ''] = /^([^/:]+):(.*\/.*)$/.exec(path) ?? []
  if (second === '') return 'No such file or folder, or it is not readable. Check the path'
  const isThere = await access(second).then(() => true, () => false)
  return `${second} cannot be its name in the command's folder. ${isThere ? `Pass --bind ${second}:${first}` : 'A name has no slash'}`
}
