/**
 * Which requests the server of the page answers. A browser sends what any web page tells it to: the token is in a
 * header, which other pages can neither know nor send, and names that others could point at this server (DNS rebinding)
 * are refused.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isOwnName } from '../system/own-name.ts'

/** Why a request is refused, and the status that says so. */
export interface Refusal { status: number, code: string, message: string }

/** Sent with every answer. */
export const SAFE_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff'
} as const

/** Of any request, the files of the page included; null: it may be answered. */
export function refuseForeign ({ host, origin }: IncomingHttpHeaders): Refusal | null {
  if (host === undefined || !isOwnName(host)) {
    return refusal(421, 'Use the address of this server, or the name of this machine.')
  }
  // a browser names itself with what could change something, and with what another page asks for
  if (origin !== undefined && origin !== `http://${host}`) return refusal(403, 'Another web page may not ask this server.')
  return null
}

/** Of a request for data or an action; null: it has the token. */
export function refuseStranger ({ authorization = '' }: IncomingHttpHeaders, token: string): Refusal | null {
  // of equal length whatever was sent, so that the time of the comparison tells nothing
  const [given, wanted] = [authorization, `Bearer ${token}`].map(text => createHash('sha256').update(text).digest())
  if (timingSafeEqual(given!, wanted!)) return null
  return refusal(401, 'The token is missing or wrong. Open the link that bitworker printed.')
}

/** A refusal for what was asked. */
export function refusal (status: number, message: string): Refusal { return { status, code: 'BW_ERR_USAGE', message } }
