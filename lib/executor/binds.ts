/** Files and folders of this machine that the volunteer makes available to commands, and their paths in a sandbox. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../base/errors.ts'
import { SCRATCH } from './sandbox/scratch.ts'
import type { Mount } from './types.ts'

/** A file or folder of this machine that appears in every scratch folder. */
export interface Bind {
  /** absolute, or relative to the process's working directory */
  path: string
  /** default: the path's last component */
  name?: string
}

/** Binds with all names filled in. */
export type Binds = ReadonlyArray<Required<Bind>>

/** Checks binds, and fills in their names. Throws BW_ERR_BIND. @param inputs names of the task's inputs */
export function checkBinds (binds: readonly Bind[], inputs: readonly string[] = []): Array<Required<Bind>> {
  const names = new Set(['p']) // the folder of a complete command's parts
  return binds.map(bind => {
    const from = path.resolve(bind.path)
    const name = bind.name ?? path.basename(from)
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw badBind(`The name "${name}" is not a file name. Give another one.`)
    }
    if (names.has(name))
      throw badBind(
        name === 'p'
          ? 'The name "p" is reserved for the parts. Give another one.'
          : `The name "${name}" is given twice. Rename one of them.`
      )
    if (inputs.includes(name)) throw badBind(`The name "${name}" is reserved for an input of the task. Give another one.`)
    if (statSync(from, { throwIfNoEntry: false }) === undefined) throw badBind(`${from} does not exist.`)
    names.add(name)
    return { path: from, name }
  })
}

function badBind (why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_BIND', 'usage', `Cannot bind into the command's folder. ${why}`)
}

/** Throws BW_ERR_BIND if one of them no longer exists. */
export function checkBindsExist (binds: Binds): void {
  for (const { path: from } of binds) {
    if (statSync(from, { throwIfNoEntry: false }) === undefined) throw badBind(`${from} no longer exists.`)
  }
}

/** The mounts of the binds, in the working directory, read-only. */
export function mountsOf (binds: Binds): Mount[] {
  return binds.map(bind => ({ path: bind.path, at: path.posix.join(SCRATCH, bind.name) }))
}
