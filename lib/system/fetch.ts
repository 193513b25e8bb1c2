/**
 * HTTP requests with limits on size and time, and without redirects from an outside server to this machine or its
 * network. Everything that is fetched over HTTP is fetched here.
 */
import { addressesOf, isLocalAddress } from './local-address.ts'

/** The same as fetch. */
const MAX_REDIRECTS = 20

/** Options of `fetchBounded`. */
export interface FetchOptions {
  /** limit for the body, decompressed */
  maxBytes: number
  /** from the request to the last byte of the body */
  timeoutMs: number
  headers?: Record<string, string>
  /** default GET */
  method?: 'GET' | 'POST'
  body?: string
  /** 'follow' (default): at most 20 redirects, only to http and https */
  redirect?: 'follow' | 'error'
  /** aborts the request */
  signal?: AbortSignal
  /** an undici dispatcher, for a proxy */
  dispatcher?: unknown
}

/** A response with its whole body. */
export interface FetchedAnswer { status: number, statusText: string, bytes: Uint8Array<ArrayBuffer> }

/** Rejects with fetch's errors, with a TimeoutError, and if the body is too long. */
export async function fetchBounded (
  url: string, { maxBytes, timeoutMs, signal, redirect = 'follow', ...options }: FetchOptions
): Promise<FetchedAnswer> {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]
  const request = { ...options, signal: AbortSignal.any(signals) } as RequestInit
  const response = redirect === 'error' ? await fetch(url, { ...request, redirect }) : await follow(url, request)
  const chunks: Uint8Array[] = []
  let length = 0
  // leaving the loop cancels the body
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return { status: response.status, statusText: response.statusText, bytes: new Uint8Array(Buffer.concat(chunks)) }
}

async function follow (url: string, request: RequestInit): Promise<Response> {
  // as given: fetch's error for an invalid address quotes it
  let at = url
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(at, { ...request, redirect: 'manual' })
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null
    if (location === null) return response
    await response.body?.cancel()
    if (redirects === MAX_REDIRECTS) throw new Error('redirected too often')
    const next = new URL(location, at)
    if (!/^https?:$/.test(next.protocol)) throw new Error(`redirected to ${next.protocol}, which is not fetched`)
    if (await leadsInside(new URL(at), next)) throw new Error('redirected from outside to an address of the local network')
    at = next.href
  }
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])

async function leadsInside (from: URL, to: URL): Promise<boolean> {
  if (from.host === to.host) return false
  const [before, after] = await Promise.all([addressesOf(from), addressesOf(to)])
  return after.some(isLocalAddress) && !before.every(isLocalAddress)
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host not reachable',
  ENETUNREACH: 'network not reachable',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no answer',
  TimeoutError: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_SOCKET: 'the connection was closed'
}

/** Why a network operation failed, in a few words: the innermost cause that has a message. */
export function networkReason (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause instanceof AggregateError ? error.cause.errors[0] as unknown : error.cause
  if (inner instanceof Error) return networkReason(inner)
  const { code } = error as NodeJS.ErrnoException
  return REASONS[code ?? ''] ?? REASONS[error.name] ?? (error.message || code || error.name)
}
