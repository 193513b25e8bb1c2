/**
 * Connections that have not said yet what they want: how many there may be, and for how long. Called by client.ts; which
 * peers a task lets in afterwards is admission.ts's business.
 */
import { hostOf, isLocal } from './admission.ts'
import type { ConnPool, IncomingConnection } from './webtorrent-internals.ts'

/** From the connection to the handshake; WebTorrent alone waits 25 s. */
const HANDSHAKE_MS = 10_000
/** At a time: each one has a buffer and a file descriptor. */
const MAX_PENDING = 256
/** Of them, from one address (but this machine's own). */
const MAX_PENDING_PER_ADDRESS = 16

/** Bounds a client's incoming connections. */
export function limitIncoming (pool: ConnPool): void {
  const onConnection = (conn: IncomingConnection): void => { check(conn, pool) }
  pool.tcpServer.prependListener('connection', onConnection)
  // the one for uTP is made when the other one listens
  pool.tcpServer.once('listening', () => { pool.utpServer?.prependListener('connection', onConnection) })
}

function check (conn: IncomingConnection, pool: ConnPool): void {
  const pending = pool._pendingConns
  if (pending === null) return conn.destroy() // it was accepted just as the client was destroyed
  const host = hostOf(conn.remoteAddress)
  const isTooMany = pending.size >= MAX_PENDING || (!isLocal(host) && fromHost(pending, host) >= MAX_PENDING_PER_ADDRESS)
  if (isTooMany) return conn.destroy()
  const timer = setTimeout(() => { if (pending.has(conn)) conn.destroy() }, HANDSHAKE_MS)
  timer.unref()
  conn.once('close', () => { clearTimeout(timer) })
}

function fromHost (pending: Iterable<IncomingConnection>, host: string): number {
  let count = 0
  for (const { remoteAddress } of pending) if (hostOf(remoteAddress) === host) count++
  return count
}
