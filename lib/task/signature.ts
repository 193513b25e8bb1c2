/**
 * Makes, reads, writes and verifies the signatures of tasks. docs/task-signatures.md describes the format. Pure: keys
 * and time are arguments. judge.ts decides what a signature is worth. Called by lib/task/task.ts, pins.ts and the
 * command line.
 */
import type { KeyObject } from 'node:crypto'
import { concatBytes, decode, encode, textOf } from '../base/bencode.ts'
import type { Bvalue, Encodable } from '../base/bencode.ts'
import { hexOf } from '../base/digest.ts'
import {
  isSignatureOf, PUBLIC_KEY_BYTES, publicKeyOf, signBytes, SIGNATURE_BYTES, toSigningKey, whyNoPublicKey
} from './ed25519.ts'
import { taskError } from './types.ts'
import type { Task, TaskSignature } from './types.ts'

/** The author's own and those of a few people who vouch for the task. Each is verified whenever the file is read. */
const MAX_SIGNATURES = 8
/** Length of a signer's label in UTF-16 units: a name, not a text. */
export const MAX_LABEL_LENGTH = 128
/** The largest time of a Date, in seconds. */
const MAX_TIME_S = 8.64e12
const PREFIX = new TextEncoder().encode('BitWorker/sign/1\0')

/** Statements that the signature covers as well. */
export interface SignOptions {
  /** time of the signature; written in whole seconds */
  time: Date
  /** the signer's name for themselves, at most 128 characters; default: none */
  label?: string
}

/**
 * Signs a task. Returns it with one more signature, which replaces an earlier one by the same key. Throws BW_ERR_KEY,
 * and BW_ERR_TASK_OPTIONS for a malformed time or label, for a legacy task, and beyond eight signers.
 * @param key a secret Ed25519 key, or its PEM text
 */
export function signTask (task: Task, key: KeyObject | string, { time, label }: SignOptions): Task {
  const secret = toSigningKey(key)
  if (task.legacy) throw refused('A task of the 2014 format cannot be signed. Convert it, then sign the result.')
  const t = time instanceof Date ? Math.floor(time.getTime() / 1000) : NaN
  if (!(t >= 0)) throw refused('The time of a signature must be a Date in 1970 or later.')
  if (label !== undefined && !isLabel(label)) {
    throw refused(`The label of a signer must be 1 to ${MAX_LABEL_LENGTH} characters of well-formed text.`)
  }
  const remark = encode({ t, l: label })
  const publicKey = hexOf(publicKeyOf(secret))
  const signature = signBytes(signedBytes(task.digest, remark), secret)
  const others = task.signatures.filter(other => other.publicKey !== publicKey)
  if (others.length === MAX_SIGNATURES) throw refused(`A task can have at most ${MAX_SIGNATURES} signatures.`)
  return { ...task, signatures: [...others, toSignature(publicKey, signature, remark, t, label)] }
}

/**
 * Reads and verifies the value of the key `signatures`. There may be none. Anything that is not a valid signature of
 * the task with this digest is an error: BW_ERR_TASK_SIGNATURE. Signatures by other algorithms than Ed25519 are
 * ignored.
 */
export function readSignatures (value: Bvalue | undefined, digest: Uint8Array): TaskSignature[] {
  if (value === undefined) return []
  if (!(value instanceof Map)) throw malformed()
  const entries = value.get('ed25519') ?? []
  if (!Array.isArray(entries)) throw malformed()
  return checkSignatures(entries.map(readSignature), digest)
}

/** Reads one entry of the list, without verifying it. Throws BW_ERR_TASK_SIGNATURE. */
export function readSignature (entry: Bvalue): TaskSignature {
  if (!(entry instanceof Map)) throw malformed()
  const [key, signature, info] = ['k', 's', 'i'].map(name => entry.get(name))
  if (!(key instanceof Uint8Array) || !(signature instanceof Uint8Array) || !(info instanceof Map)) throw malformed()
  if (key.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) throw malformed()
  const t = info.get('t')
  const label = info.has('l') ? textOf(info.get('l')) ?? '' : undefined
  if (typeof t !== 'number' || t < 0 || t > MAX_TIME_S || (label !== undefined && !isLabel(label))) throw malformed()
  // `info` was received as canonical bencode, so this gives the same bytes, including keys that a later version may add
  return toSignature(hexOf(key), new Uint8Array(signature), encode(info), t, label)
}

/** Returns the signatures if each is valid for the digest, and all keys are different. Throws BW_ERR_TASK_SIGNATURE. */
export function checkSignatures (signatures: TaskSignature[], digest: Uint8Array): TaskSignature[] {
  if (signatures.length > MAX_SIGNATURES) throw malformed()
  if (new Set(signatures.map(({ publicKey }) => publicKey)).size < signatures.length) throw malformed()
  for (const { publicKey, signature, remark } of signatures) {
    const key = Buffer.from(publicKey, 'hex')
    const flaw = whyNoPublicKey(key)
    if (flaw !== null) throw invalid(publicKey, `the key ${flaw}`)
    if (!isSignatureOf(key, signedBytes(digest, remark), signature)) {
      throw invalid(publicKey, 'the task or the signature was changed')
    }
  }
  return signatures
}

/** The value of the key `signatures`; undefined if there are none. */
export function signaturesDict (signatures: readonly TaskSignature[]): Encodable | undefined {
  return signatures.length === 0 ? undefined : { ed25519: signatures.map(signatureDict) }
}

/** One entry of that list. */
export function signatureDict ({ publicKey, signature, remark }: TaskSignature): Encodable {
  return { k: Buffer.from(publicKey, 'hex'), s: signature, i: decode(remark) }
}

function toSignature (
  publicKey: string, signature: Uint8Array, remark: Uint8Array, t: number, label: string | undefined
): TaskSignature {
  return { publicKey, signature, remark, time: new Date(t * 1000), ...(label !== undefined && { label }) }
}

function signedBytes (digest: Uint8Array, remark: Uint8Array): Uint8Array {
  return concatBytes([PREFIX, digest, remark])
}

function isLabel (label: unknown): boolean {
  return typeof label === 'string' && label !== '' && label.length <= MAX_LABEL_LENGTH && !/\p{Surrogate}/u.test(label)
}

function refused (message: string): Error {
  return taskError('BW_ERR_TASK_OPTIONS', message, 'usage')
}

function malformed (): Error {
  return taskError(
    'BW_ERR_TASK_SIGNATURE',
    'The task has a malformed signature, so its signer is unknown. Get the task again from its author.'
  )
}

function invalid (publicKey: string, why: string): Error {
  return taskError(
    'BW_ERR_TASK_SIGNATURE', `The signature by ${publicKey} is not valid (${why}). Get the task again from its author.`
  )
}
