/** Cleans up links as people paste them from a mail, a chat or a shell history. Pure. Called by source.ts. */
import { BitWorkerError } from '../../base/errors.ts'
import type { NetworkFlags } from '../flags/network.ts'

const HEX = /^[0-9a-f]{40}$/i
const BASE32 = /^[a-z2-7]{32}$/i
/** RFC 4648 */
const BASE32_DIGITS = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * Removes spaces, quotes and brackets around the text. A magnet link is also put on one line, and its own parameters
 * are normalised: percent signs, capitals, `&amp;`. Returns any other text unchanged.
 */
export function tidyLink (text: string): string {
  const bare = text.trim().replace(/^(["'<`])(.*)["'>`]$/s, '$2').trim()
  if (isInfoHash(bare)) return bare
  const link = /^(?:stream-)?magnet%3A/i.test(bare) ? unescape(bare) : bare
  if (!/^(?:stream-)?magnet:/i.test(link)) {
    return /^https?:\/\//i.test(bare) ? bare.replace(/^https?:/i, scheme => scheme.toLowerCase()) : text
  }
  const [scheme = '', query = ''] = link
    .replace(/\s*[\r\n]\s*/g, '')
    .replaceAll(' ', '%20')
    .replaceAll('&amp;', '&')
    .split(/\?(.*)/s)
  return `${scheme.toLowerCase()}?${query
    .split('&')
    .filter(parameter => parameter !== '')
    .map(tidyParameter)
    .join('&')}`
}

/** Whether the text is an info-hash: 40 hex digits, or 32 digits of base 32. */
export function isInfoHash (text: string): boolean {
  return HEX.test(text) || BASE32.test(text)
}

/** The info-hash of a link in lower-case hex; undefined if it is not a link, or has none. */
export function infoHashOf (link: string): string | undefined {
  const hash = isInfoHash(link) ? link : /[?&]xt(?:\.\d+)?=urn:btih:([0-9a-z]+)/i.exec(link)?.[1] ?? ''
  if (HEX.test(hash)) return hash.toLowerCase()
  if (!BASE32.test(hash)) return undefined
  const bits = Array.from(hash.toLowerCase(), digit => BASE32_DIGITS.indexOf(digit).toString(2).padStart(5, '0')).join('')
  return bits.match(/.{4}/g)!.map(nibble => Number.parseInt(nibble, 2).toString(16)).join('')
}

function tidyParameter (parameter: string): string {
  const [key = '', value] = parameter.split(/=(.*)/s)
  if (value === undefined) return parameter
  const name = key.toLowerCase()
  return `${name}=${/^xt(?:\.\d+)?$/.test(name) ? unescape(value).replace(/^urn:bt[im]h:/i, topic => topic.toLowerCase()) : value}`
}

// Stops at an invalid escape instead of throwing.
function unescape (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Rejects a magnet link without an info-hash. Throws BW_ERR_MAGNET. */
export function checkLink (link: string): void {
  const topics = [...link.matchAll(/[?&]xt(?:\.\d+)?=([^&]*)/g)].map(([, topic = '']) => topic)
  if (topics.some(topic => topic.startsWith('urn:btih:') && isInfoHash(topic.slice('urn:btih:'.length)))) return
  const [topic] = topics
  if (topic === undefined) throw bad('has no info-hash (xt=urn:btih:…). If you gave a longer link, put it in quotes')
  if (topic.startsWith('urn:btmh:')) {
    throw bad('is for BitTorrent v2 only (urn:btmh), which BitWorker does not support. Ask for a link with urn:btih')
  }
  const [, hash] = /^urn:btih:(.*)$/s.exec(topic) ?? []
  if (hash === undefined) {
    throw bad(`does not name a torrent (${topic.slice(0, 40)}). Ask for a link with urn:btih`)
  }
  throw bad(
    `has an info-hash of ${hash.length} characters instead of 40 hex digits or 32 of base 32. Copy the whole link again`
  )
}

/**
 * The note while a link is looked up. The shell ends a command at an unquoted `&`, and the rest of the link is still a
 * link.
 */
export function lookupNote (id: string | Uint8Array, what = 'the task'): string {
  const isBare = typeof id === 'string' && /^magnet:\?xt=[^&]*$/.test(id)
  const hint = isBare
    ? '\nThe link has nothing but an info-hash. If you gave a longer one, put it in quotes: the shell cuts it at the first &.'
    : ''
  return `Looking for ${what}. Press Ctrl-C to stop.${hint}`
}

/** Where a link leads nowhere: nothing tells of any peer. Null: something may. */
export function lonelyNote (
  id: string | Uint8Array,
  { peer, announce, dht, lsd, tracker }: Pick<NetworkFlags, 'peer' | 'announce' | 'dht' | 'lsd' | 'tracker'>
): string | null {
  if (typeof id !== 'string' || dht || lsd || peer.length > 0) return null
  const names = (key: string): boolean => new RegExp(`[?&]${key}(?:\\.\\d+)?=`).test(id)
  if (/^https?:/.test(id) || names('x\\.pe') || (tracker && (announce.length > 0 || names('tr')))) return null
  return 'Nothing says where peers are: the link names no peer and no tracker, and the DHT and the local network are not asked. Name a peer with --peer or a tracker with --announce, or leave out --no-dht.'
}

function bad (what: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_MAGNET', 'input', `The magnet link ${what}.`)
}
