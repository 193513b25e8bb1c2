/** `bitworker trust`: manages the keys whose tasks start without asking, or never start. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { BitWorkerError, errorAbout } from '../../base/errors.ts'
import { publicFileOf, readTrustStore, writeTrustStore } from '../../config/trust-files.ts'
import { parsePublicKey } from '../../task/key-format.ts'
import type { PublicKey } from '../../task/key-format.ts'
import type { KnownAuthor, TrustScope } from '../../trust/list-format.ts'
import { explain } from '../output/failure.ts'
import { escapeText, formatBytes } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkLabel } from '../output/signers.ts'

/** The flags of `trust add` as typed. */
export interface TrustAddFlags {
  label?: string
  deny: boolean
  expires?: Date
  maxHours?: number
  /** bytes */
  maxSize?: number
  maxInput?: number
  maxMemory?: number
  maxScratch?: number
  gpu: boolean
  json: boolean
}

const HEX_KEY = /^[0-9a-f]{64}$/i
/** A line, with room for any label. */
const MAX_KEY_FILE_BYTES = 4096

/**
 * Adds a key, or changes its entry. Throws BW_ERR_KEY, BW_ERR_USAGE, BW_ERR_TRUST_STORE and errors of the file system.
 * @param text the public key, or the path of its `.pub` file
 */
export async function trustAdd (text: string, flags: TrustAddFlags): Promise<void> {
  const { key, label: named } = await namedPublicKey(text)
  const label = flags.label ?? named
  if (label !== undefined) checkLabel(label)
  const scope = scopeOf(flags)
  if (flags.deny && Object.keys(scope).length > 0) throw usage('--deny cannot be combined with limits or --gpu. Leave out one of them.')
  const author: KnownAuthor = {
    key, ...(label !== undefined && { label }), ...(flags.deny && { denied: true }), ...scope
  }
  const { authors } = await readTrustStore()
  await save([...authors.filter(other => other.key !== key), author])
  new JsonOutput(flags.json).emit('added', author)
  say(flags.json, describe(author))
}

function scopeOf ({ expires, maxHours, maxSize, maxInput, maxMemory, maxScratch, gpu }: TrustAddFlags): TrustScope {
  return {
    ...(expires !== undefined && { expires }),
    ...(maxHours !== undefined && { maxHours }),
    ...(maxSize !== undefined && { maxBytes: maxSize }),
    ...(maxInput !== undefined && { maxInput }),
    ...(maxMemory !== undefined && { maxMemory }),
    ...(maxScratch !== undefined && { maxScratch }),
    ...(gpu && { gpu })
  }
}

/** Lists all keys. Throws BW_ERR_TRUST_STORE. */
export async function trustList ({ json }: { json: boolean }): Promise<void> {
  const { authors } = await readTrustStore()
  for (const author of authors) new JsonOutput(json).emit('author', author)
  say(
    json,
    authors.length === 0 ? ['The trust list is empty. Add a key with bitworker trust add KEY.'] : authors.flatMap(describe)
  )
}

/**
 * Removes a key. Throws BW_ERR_NOT_LISTED, BW_ERR_KEY, BW_ERR_TRUST_STORE and errors of the file system.
 * @param text the public key, its label, or the path of its `.pub` file
 */
export async function trustRemove (text: string, { json }: { json: boolean }): Promise<void> {
  const { authors } = await readTrustStore()
  const named = authors.filter(({ key, label }) => key === text.trim().toLowerCase() || label === text)
  const found = named.length > 0 ? named : await ofFile(text, authors)
  const [author] = found
  if (author === undefined)
    throw new BitWorkerError(
      'BW_ERR_NOT_LISTED', 'usage', `${text}: The trust list has no such key or label. See bitworker trust list.`
    )
  if (found.length > 1) throw usage(`${text}: ${found.length} keys have this label. Give the key instead.`)
  await save(authors.filter(other => other !== author))
  new JsonOutput(json).emit('removed', author)
  say(json, [`${author.key}  removed: its tasks no longer start without asking`])
}

/** The entry for the key in a `.pub` file, as for `trust add`; empty if there is no such file. */
async function ofFile (text: string, authors: readonly KnownAuthor[]): Promise<KnownAuthor[]> {
  if (HEX_KEY.test(text) || !existsSync(text)) return []
  const { key } = await readPublicKey(text)
  return authors.filter(other => other.key === key)
}

function describe (
  { key, label, denied, expires, maxHours, maxBytes, maxInput, maxMemory, maxScratch, gpu }: KnownAuthor
): string[] {
  const limits = [
    ...(expires === undefined ? [] : [`until ${expires.toISOString()}`]),
    ...(maxHours === undefined ? [] : [`for tasks of at most ${maxHours} h`]),
    ...(maxBytes === undefined ? [] : [`for files of at most ${formatBytes(maxBytes)}`]),
    ...(maxInput === undefined ? [] : [`with inputs of at most ${formatBytes(maxInput)}`]),
    ...(maxMemory === undefined ? [] : [`with at most ${formatBytes(maxMemory)} of memory`]),
    ...(maxScratch === undefined ? [] : [`with at most ${formatBytes(maxScratch)} in their folder`]),
    ...(gpu === true ? ['also for tasks that use a GPU'] : [])
  ]
  const standing = denied === true ? 'denied, so its tasks do not run' : ['trusted', ...limits].join(', ')
  return [`${key}  ${label === undefined ? '' : `${escapeText(label)}, `}${standing}`]
}

function say (json: boolean, lines: string[]): void {
  const stream = json ? process.stderr : process.stdout
  stream.write(`${lines.join('\n')}\n`)
}

async function save (authors: KnownAuthor[]): Promise<void> {
  await writeTrustStore({ authors }).catch((error: unknown) => { throw explain(error) })
}

/**
 * The public key that a user names: itself, or the path of its `.pub` file. Throws BW_ERR_KEY, BW_ERR_NOT_FOUND and
 * errors of the file system.
 */
export async function namedPublicKey (text: string): Promise<PublicKey> {
  return HEX_KEY.test(text) ? parsePublicKey(text) : await readPublicKey(text)
}

async function readPublicKey (file: string): Promise<PublicKey> {
  try {
    const handle = await open(file)
    try {
      const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(MAX_KEY_FILE_BYTES) })
      const text = buffer.toString('utf8', 0, bytesRead)
      if (text.trimStart().startsWith('-----BEGIN')) throw secretKey(file)
      return parsePublicKey(text)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof BitWorkerError) throw errorAbout(file, error)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw explain(error, file)
    throw new BitWorkerError(
      'BW_ERR_NOT_FOUND',
      'usage',
      `${file}: This is neither a public key (64 hex digits) nor a file. Check it.`,
      { cause: error }
    )
  }
}

function secretKey (file: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_KEY', 'usage', `This is not a public key but a secret one. Name the public key, ${publicFileOf(file)}.`
  )
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}
