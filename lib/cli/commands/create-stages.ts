/** The output of another task as an input of `create`: `task:TASK[/PATH][:NAME]`. */
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import type { PerPart } from '../../inputs/make-task.ts'
import { findTask } from '../../inputs/registry.ts'
import type { OutputSource } from '../../inputs/stage-source.ts'
import { keptFiles } from '../../store/finished-files.ts'
import { parseTask } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { infoHashOf } from '../run/link.ts'
import { lookUp } from '../run/lookup.ts'
import { readSource } from '../run/source.ts'

/** How long a link is looked up. */
const LOOKUP_SECONDS = 60
/** A link or info-hash, PATH, NAME; the port of a peer at the end of a link is no name. */
const LINK = /^(magnet:\?[^/]*?|[0-9a-f]{40}|[a-z2-7]{32})(?:\/(.+?))?(?::(?!\d+$)([^/:&=]+))?$/i

/** What follows `task:`, taken apart. */
interface Named { id: string, file?: string, name?: string }

/** Throws BW_ERR_USAGE, BW_ERR_NO_METADATA, and what `readSource` finds wrong. */
export async function outputSource (text: string, perPart: PerPart, flags: NetworkFlags): Promise<OutputSource> {
  const { id, file, name } = namedIn(text)
  if (typeof perPart === 'object') throw usage('Of a task each piece gets a file or a piece, not a slice. Leave out --slice.')
  const task = await taskOf(id, flags)
  const folder = [path.dirname(id), '.'].find(each => existsSync(keptFiles(each, task.infoHash).taskFile))
  const sealed = folder === undefined ? null : await readFile(keptFiles(folder, task.infoHash).sealed).catch(() => null)
  return {
    outputOf: task,
    perPart,
    ...(file !== undefined && { file }),
    ...(name !== undefined && { name }),
    ...(folder !== undefined && { folder: path.resolve(folder) }),
    ...(sealed !== null && { sealed: new Uint8Array(sealed) })
  }
}

function namedIn (text: string): Named {
  const [, link, inLink, nameOfLink] = LINK.exec(text) ?? []
  if (link !== undefined) return named(link, inLink, nameOfLink)
  const [, before = text, name] = isFile(text) ? [] : /^(.+):([^/:]+)$/.exec(text) ?? []
  const parts = before.split('/')
  // FILE/PATH: nothing below a file exists
  for (let end = parts.length; end > 0; end--) {
    const at = parts.slice(0, end).join('/')
    if (isFile(at)) return named(at, parts.slice(end).join('/') || undefined, name)
  }
  return named(before, undefined, name)
}

function named (id: string, file: string | undefined, name: string | undefined): Named {
  return { id, ...(file !== undefined && { file }), ...(name !== undefined && { name }) }
}

function isFile (at: string): boolean {
  return at !== '' && statSync(at, { throwIfNoEntry: false })?.isFile() === true
}

/** What this machine has made an input of before is known by its link as well. */
async function taskOf (id: string, flags: NetworkFlags): Promise<Task> {
  const source = await readSource(id)
  if (source.task !== null) return source.task
  if (source.kind === 'torrent') throw usage(`${id} is an ordinary torrent. Leave out task: to make it an input.`)
  const infoHash = infoHashOf(source.id as string)
  if (infoHash === undefined) throw usage('The output of a task at a URL cannot be an input. Download its task file first.')
  const known = await findTask(infoHash)
  if (known !== null) return parseTask(known.file)
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    const found = await lookUp(source, { flags, seconds: LOOKUP_SECONDS, signal: stop.signal }, ({ task }) => task)
    if (found === null) throw usage(`${id} is an ordinary torrent. Name its torrent file to make it an input.`)
    return found
  } finally {
    release()
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}
