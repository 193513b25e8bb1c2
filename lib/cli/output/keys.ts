/** Names of public keys for people: what they call them, and some of their digits. */
import type { KeyNames } from '../../session/events.ts'
import { escapeText } from './format.ts'

/** Digits of a key that are shown to people. */
const SHOWN_DIGITS = 16

/** Whose key it is. `key`: 64 hex digits; null: it is not known. */
export function nameOfKey ({ key, label, trustedKey }: KeyNames & { key: string | null }): string {
  if (key === null) return 'a peer'
  const called = label === undefined ? undefined : escapeText(label)
  if (trustedKey !== undefined) return `a member of ${called ?? short(trustedKey)} (${short(key)})`
  return called === undefined ? `the peer key ${short(key)}` : `${called} (${short(key)})`
}

function short (key: string): string { return `${key.slice(0, SHOWN_DIGITS)}…` }
