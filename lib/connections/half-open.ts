/**
 * Connections that have not said yet what they want: how many there may be, and for how long. Called by client.ts;
 * which peers a task lets in afterwards is admission.ts's business.
 */
import { hostOf, isLocal } from '../peers/identity.ts'
import { mostCrowded } from './crowding.ts'
import type { ConnPool, IncomingConnection } from './internals.ts'

/** From the connection to the handshake; WebTorrent alone waits 25 s. */
const HANDSHAKE_MS = 10_000
/** At a time: each one has a buffer and a file descriptor. For the next one the longest silent makes room. */
const MAX_PENDING = 256
/** Of them, from one address (but this machine's own). */
const MAX_PENDING_PER_ADDRESS = 16
/**
 * Connections by uTP, in all: each one has 128 KiB, which those that are closed keep for half a second and more. A
 * malformed connection can keep them for ever: libutp does not close it. Beyond this, none is accepted.
 */
export const MAX_UTP_CONNECTIONS = 512

/** Bounds a client's incoming connections. */
export function limitIncoming (pool: ConnPool): void {
  const onConnection = (conn: IncomingConnection): void => { check(conn, pool) }
  pool.tcpServer.prependListener('connection', onConnection)
  // the one for uTP is made when the other one listens
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
 * Who has been silent for longest goes: of the same address, of where the crowd is, or of all. An honest peer speaks at
 * once.
 */
function makeRoom (pending: ReadonlySet<IncomingConnection>, host: string): void {
  const silent = [...pending]
  const fromHere = silent.filter(({ remoteAddress }) => hostOf(remoteAddress) === host)
  if (!isLocal(host) && fromHere.length >= MAX_PENDING_PER_ADDRESS) fromHere[0]!.destroy()
  else if (silent.length >= MAX_PENDING)
    (mostCrowded(silent, host, ({ remoteAddress }) => hostOf(remoteAddress)) ?? silent[0]!).destroy()
}
