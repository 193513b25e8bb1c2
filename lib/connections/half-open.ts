/**
 * Limits number and age of incoming connections without a handshake. Called by client.ts. Once the handshake names a
 * task, admission.ts decides.
 */
import { hostOf, isLocal } from '../peers/identity.ts'
import { mostCrowded } from './crowding.ts'
import type { ConnPool, IncomingConnection } from './internals.ts'

/** Time from the connection to the handshake; WebTorrent alone waits 25 s. */
const HANDSHAKE_MS = 10_000
/**
 * At a time: each takes a buffer and a file descriptor. The one that has been silent longest makes room for the next.
 */
const MAX_PENDING = 256
/** From one address, except this machine's own. */
const MAX_PENDING_PER_ADDRESS = 16
/**
 * Total number of uTP connections. Each takes 128 KiB, which a closed one keeps for at least half a second, and a
 * malformed one for ever, because libutp does not close it. Above this number, none is accepted.
 */
export const MAX_UTP_CONNECTIONS = 512

/** Limits a client's incoming connections. */
export function limitIncoming (pool: ConnPool): void {
  const onConnection = (conn: IncomingConnection): void => { check(conn, pool) }
  pool.tcpServer.prependListener('connection', onConnection)
  // the uTP server is created when the TCP server listens
  pool.tcpServer.once('listening', () => {
    if (pool.utpServer === undefined) return
    pool.utpServer.prependListener('connection', onConnection)
    pool.utpServer.maxConnections = MAX_UTP_CONNECTIONS
  })
}

function check (conn: IncomingConnection, pool: ConnPool): void {
  const pending = pool._pendingConns
  if (pending === null) return conn.destroy() // it was accepted just as the client was destroyed
  makeRoom(pending, hostOf(conn.remoteAddress))
  const timer = setTimeout(() => { if (pending.has(conn)) conn.destroy() }, HANDSHAKE_MS)
  timer.unref()
  conn.once('close', () => { clearTimeout(timer) })
}

/**
 * The connection that has been silent longest is closed: of the same address, of the most crowded place, or of all. An
 * honest peer sends its handshake at once.
 */
function makeRoom (pending: ReadonlySet<IncomingConnection>, host: string): void {
  const silent = [...pending]
  const fromHere = silent.filter(({ remoteAddress }) => hostOf(remoteAddress) === host)
  if (!isLocal(host) && fromHere.length >= MAX_PENDING_PER_ADDRESS) fromHere[0]!.destroy()
  else if (silent.length >= MAX_PENDING)
    (mostCrowded(silent, host, ({ remoteAddress }) => hostOf(remoteAddress)) ?? silent[0]!).destroy()
}
