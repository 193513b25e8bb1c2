/**
 * Signatures in magnet links. Peers send only the info dictionary, so the link itself carries the signatures, and names
 * the keys that must have signed:
 *
 *   x.pk=<public key, 64 hex digits>           repeated for each pinned key
 *   x.sig=<an entry of `signatures`, base64url>  repeated for each signature
 *
 * Pure. Called by lib/task/magnet.ts and lib/webtorrent/parsed-torrent.ts.
 */
import { decode, encode } from '../base/bencode.ts'
import type { Bvalue } from '../base/bencode.ts'
import { checkSignatures, readSignature, signatureDict } from './signature.ts'
import { taskError } from './types.ts'
import type { Task, TaskSignature } from './types.ts'

/** A link's parameters as parsed by magnet-uri: a string, or a list if there are several. */
export interface LinkPins { 'x.pk'?: unknown, 'x.sig'?: unknown }

const PUBLIC_KEY = /^[0-9a-f]{64}$/
/** An entry takes about 200 bytes. Anything longer than this is not an entry. */
const SIGNATURE = /^[\w-]{1,2048}$/

/** The parameters for a task's link; empty for an unsigned task. */
export function pinsOf ({ signatures }: Pick<Task, 'signatures'>): string[] {
  return [
    ...signatures.map(({ publicKey }) => `x.pk=${publicKey}`),
    ...signatures.map(signature => `x.sig=${Buffer.from(encode(signatureDict(signature))).toString('base64url')}`)
  ]
}

/**
 * Adds the link's signatures to the task that arrived for it. Throws BW_ERR_TASK_SIGNATURE if one is not valid, and
 * BW_ERR_TASK_SIGNER if a pinned key did not sign the task.
 */
export function withPins (task: Task, link: LinkPins): Task {
  const known = new Set(task.signatures.map(({ publicKey }) => publicKey))
  const carried = valuesOf(link['x.sig']).map(readParameter).filter(({ publicKey }) => !known.has(publicKey))
  const signatures = checkSignatures([...task.signatures, ...carried], task.digest)
  for (const key of pinnedKeys(link)) {
    if (!signatures.some(({ publicKey }) => publicKey === key)) {
      throw notSigned(key, 'the task has no signature by this key')
    }
  }
  return { ...task, signatures }
}

/**
 * Throws BW_ERR_TASK_SIGNER if the link of an ordinary torrent has a pin or a signature: the link promised a signed
 * task.
 */
export function refusePins (link: LinkPins): void {
  const [key] = [...pinnedKeys(link), ...valuesOf(link['x.sig']).map(value => readParameter(value).publicKey)]
  if (key !== undefined) throw notSigned(key, 'an ordinary torrent arrived')
}

function pinnedKeys (link: LinkPins): string[] {
  return valuesOf(link['x.pk']).map(value => {
    const key = value.toLowerCase()
    if (!PUBLIC_KEY.test(key)) throw malformed('x.pk')
    return key
  })
}

function readParameter (value: string): TaskSignature {
  let entry: Bvalue
  try {
    if (!SIGNATURE.test(value)) throw malformed('x.sig')
    entry = decode(Buffer.from(value, 'base64url'))
  } catch {
    throw malformed('x.sig')
  }
  return readSignature(entry)
}

function valuesOf (parameter: unknown): string[] {
  return (Array.isArray(parameter) ? parameter : [parameter]).filter(value => typeof value === 'string')
}

function notSigned (key: string, why: string): Error {
  return taskError(
    'BW_ERR_TASK_SIGNER',
    `The magnet link promises a task signed by ${key}, but ${why}. Get the whole link, or the task file, from its author.`
  )
}

function malformed (parameter: string): Error {
  return taskError(
    'BW_ERR_TASK_SIGNATURE',
    `The magnet link has a malformed ${parameter}, so the signer of the task is unknown. Get the link again from its author.`
  )
}
