/**
 * The trust list as an object and as the text of trust.json: authors whose tasks start without asking, the scope of
 * that trust, and authors whose tasks never start. It is read strictly, because an unknown key could be a restriction.
 * Pure. Called by trust-files.ts.
 */
import { BitWorkerError } from '../base/errors.ts'
import { parsePublicKey } from '../task/key-format.ts'

/** The scope of trust in an author. */
export interface TrustScope {
  /** trust ends at this time */
  expires?: Date
  /** hours that a task may take: the sum of all its commands' time limits. A task without a limit exceeds it */
  maxHours?: number
  /** bytes that a task's files may have in total */
  maxBytes?: number
  /** bytes that a task's inputs may have in total, without those in the task file */
  maxInput?: number
  /** bytes of memory that each command may ask for. A task that does not say exceeds it */
  maxMemory?: number
  /** bytes that each command may write to its folder; as `maxMemory` */
  maxScratch?: number
  /** also tasks that need a GPU; default false */
  gpu?: boolean
}

/** An author with a known key. */
export interface KnownAuthor extends TrustScope {
  /** 64 lower-case hex digits */
  key: string
  /** the user's name for the author */
  label?: string
  /** the author's tasks never run, even if others signed them, too */
  denied?: boolean
}

/** All known authors, each key once. */
export interface TrustStore { authors: readonly KnownAuthor[] }

const VERSION = 1
const AUTHOR_KEYS = new Set(['key', 'label', 'denied', 'expires', 'maxHours', 'maxBytes', 'maxInput', 'maxMemory', 'maxScratch', 'gpu'])

/** Reads the text of trust.json. Throws BW_ERR_TRUST_STORE. */
export function parseTrustStore (text: string): TrustStore {
  const root = parseObject(text)
  if (root['version'] !== VERSION) throw malformed(`its version is not ${VERSION}`)
  refuseOthers(root, new Set(['version', 'authors']), 'it')
  const authors = root['authors']
  if (!Array.isArray(authors)) throw malformed('`authors` is not a list')
  const known = authors.map(readAuthor)
  if (new Set(known.map(({ key }) => key)).size < known.length) throw malformed('a key is listed twice')
  return { authors: known }
}

/** The text of trust.json. */
export function formatTrustStore ({ authors }: TrustStore): string {
  return `${JSON.stringify({ version: VERSION, authors }, null, 2)}\n`
}

function parseObject (text: string): Record<string, unknown> {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
  if (isObject(root)) return root
  throw malformed('it is not an object')
}

function readAuthor (value: unknown): KnownAuthor {
  if (!isObject(value)) throw malformed('an author is not an object')
  refuseOthers(value, AUTHOR_KEYS, 'an author')
  const { label, denied, expires, gpu } = value
  if (label !== undefined && typeof label !== 'string') throw malformed('a `label` is not a string')
  if (denied !== undefined && typeof denied !== 'boolean') throw malformed('a `denied` is neither true nor false')
  if (gpu !== undefined && typeof gpu !== 'boolean') throw malformed('a `gpu` is neither true nor false')
  return {
    key: readKey(value['key']),
    ...(label !== undefined && { label }),
    ...(denied !== undefined && { denied }),
    ...(expires !== undefined && { expires: readDate(expires) }),
    ...readNumbers(value),
    ...(gpu !== undefined && { gpu })
  }
}

function readKey (value: unknown): string {
  try {
    const { key } = parsePublicKey(String(value))
    if (key === value) return key
  } catch {}
  throw malformed('a `key` is not a public key')
}

function readDate (value: unknown): Date {
  const date = new Date(typeof value === 'string' ? value : NaN)
  if (Number.isNaN(date.getTime())) throw malformed('an `expires` is not a date')
  return date
}

function readNumbers (author: Record<string, unknown>): TrustScope {
  const scope: TrustScope = {}
  for (const name of ['maxHours', 'maxBytes', 'maxInput', 'maxMemory', 'maxScratch'] as const) {
    const value = author[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0)) throw malformed(`a \`${name}\` is not a number`)
    scope[name] = value
  }
  return scope
}

function refuseOthers (object: Record<string, unknown>, names: Set<string>, what: string): void {
  const other = Object.keys(object).find(name => !names.has(name))
  if (other !== undefined) throw malformed(`${what} has ${JSON.stringify(other)}, which this version does not support`)
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed (why: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_TRUST_STORE',
    'system',
    `The trust list cannot be read: ${why}. Correct the file, or remove it and add the keys again.`
  )
}
