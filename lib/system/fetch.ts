/**
 * HTTP requests whose answers cannot be larger or take longer than the caller allows, nor lead from a server outside to
 * this machine or its network. Everything that is fetched comes from here.
 */
import { addressesOf, isLocalAddress } from './local-address.ts'

/** As fetch has it. */
const MAX_REDIRECTS = 20

/** What may be asked of `fetchBounded`. */
export interface FetchOptions {
  /** of the body, decompressed */
  maxBytes: number
  /** from the request to the last byte */
  timeoutMs: number
  headers?: Record<string, string>
  /** default GET */
  method?: 'GET' | 'POST'
  body?: string
  /** default: 20 times at most, to http and https only */
  redirect?: 'follow' | 'error'
  /** ends it earlier */
  signal?: AbortSignal
  /** undici's, for a proxy */
  dispatcher?: unknown
}

/** An answer with its whole body. */
export interface FetchedAnswer { status: number, statusText: string, bytes: Uint8Array<ArrayBuffer> }

/** Rejects with whatever fetch does, with a TimeoutError, and for a body that is too long. */
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
  // as it was given: what fetch says of an address that is none is said of that text
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

/** Why something did not work over the network, in a few words: the innermost cause that says something. */
export function networkReason (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause instanceof AggregateError ? error.cause.errors[0] as unknown : error.cause
  if (inner instanceof Error) return networkReason(inner)
  const { code } = error as NodeJS.ErrnoException
  return REASONS[code ?? ''] ?? REASONS[error.name] ?? (error.message || code || error.name)
}
