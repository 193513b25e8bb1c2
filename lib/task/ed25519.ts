/**
 * Ed25519 keys and signatures (RFC 8032), by node:crypto. Adds the one check that it lacks: weak public keys, which
 * identify nobody. Pure. Called by signature.ts and key-format.ts.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { BitWorkerError } from '../base/errors.ts'

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

const P = 2n ** 255n - 19n
/**
 * The y coordinates of the eight points of small order. With such a key, some signatures are valid for every message,
 * and not every version of OpenSSL rejects it.
 */
const SMALL_ORDER = new Set([
  0n, 1n, P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n
])

/** Why these bytes cannot be used as a public key ('is …', 'has …'); null if they can. */
export function whyNoPublicKey (key: Uint8Array): string | null {
  if (key.length !== PUBLIC_KEY_BYTES) return `has ${key.length} bytes instead of ${PUBLIC_KEY_BYTES}`
  const y = yOf(key)
  if (y >= P) return 'is not in canonical form'
  return SMALL_ORDER.has(y) ? 'is one of the eight weak keys that anyone can forge signatures for' : null
}

/** Little-endian, without the highest bit, which is the sign of x. */
function yOf (key: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(key.toReversed()).toString('hex')}`) & (2n ** 255n - 1n)
}

/** Whether the signature is valid for the message and key. False for keys that `whyNoPublicKey` rejects. */
export function isSignatureOf (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && whyNoPublicKey(key) === null &&
    verify(null, message, toKeyObject(key), signature)
}

function toKeyObject (key: Uint8Array): KeyObject {
  const x = Buffer.from(key).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** Keys whose signatures are checked again and again: making the object takes as long as checking a signature. */
const MAX_KNOWN_KEYS = 256

/**
 * Makes a function like `isSignatureOf` for many signatures by few keys, which are given as 64 hex digits. It remembers
 * the keys that it has seen last.
 */
export function signatureChecker (): (key: string, message: Uint8Array, signature: Uint8Array) => boolean {
  const known = new Map<string, KeyObject | null>()
  return (key, message, signature) => {
    let object = known.get(key)
    if (object === undefined) {
      const bytes = Buffer.from(key, 'hex')
      object = whyNoPublicKey(bytes) === null ? toKeyObject(bytes) : null
      if (known.size >= MAX_KNOWN_KEYS) known.delete(known.keys().next().value!)
    } else known.delete(key)
    known.set(key, object)
    return object !== null && signature.length === SIGNATURE_BYTES && verify(null, message, object, signature)
  }
}

/** Returns a signature of 64 bytes. The key must come from `toSigningKey`. */
export function signBytes (message: Uint8Array, key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sign(null, message, key))
}

/** Converts a KeyObject or PEM text (PKCS #8, not encrypted) to a secret Ed25519 key. Throws BW_ERR_KEY. */
export function toSigningKey (key: KeyObject | string): KeyObject {
  const object = typeof key === 'string' ? fromPem(key) : key
  if (object?.type === 'private' && object.asymmetricKeyType === 'ed25519') return object
  throw badKey('is not a secret Ed25519 key')
}

function fromPem (pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const isEncrypted = (error as NodeJS.ErrnoException).code === 'ERR_MISSING_PASSPHRASE'
    throw badKey(
      isEncrypted
        ? 'is protected by a passphrase, which BitWorker does not ask for'
        : 'is not a secret key in PEM form (PKCS #8)',
      error
    )
  }
}

/** The public key of a secret key, 32 bytes. */
export function publicKeyOf (key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url'))
}

/** Makes the error for an unusable key. @param why continues 'The key …' */
export function badKey (why: string, cause?: unknown): BitWorkerError {
  return new BitWorkerError('BW_ERR_KEY', 'usage', `The key ${why}. Use an Ed25519 key.`, { cause, remedy: 'another-key' })
}
