/**
 * Public keys as text: 64 hex digits, or the line of a `.pub` file, `bitworker-ed25519 <hex> [label]` (similar to
 * ssh-keygen's). Pure. Called by the command line and list-format.ts.
 */
import { badKey, whyNoPublicKey } from './ed25519.ts'

const LINE = /^(?:bitworker-ed25519 +)?([0-9a-f]{64})(?: +(\S.*))?$/i

/** A public key and its owner's label. */
export interface PublicKey { key: string, label?: string }

/** Reads a public key: 64 hex digits, or the line of a `.pub` file. Throws BW_ERR_KEY. */
export function parsePublicKey (text: string): PublicKey {
  const [, hex, label] = LINE.exec(text.trim()) ?? []
  if (hex === undefined) throw badKey('is not a public key (64 hex digits)')
  const key = hex.toLowerCase()
  const flaw = whyNoPublicKey(Buffer.from(key, 'hex'))
  if (flaw !== null) throw badKey(flaw)
  return { key, ...(label !== undefined && { label }) }
}

/** The line of a `.pub` file, including the newline. */
export function formatPublicKey ({ key, label }: PublicKey): string {
  return `bitworker-ed25519 ${key}${label === undefined ? '' : ` ${label}`}\n`
}
