/** `bitworker tracker`: what the peers of a private swarm need to find each other: a tracker and a DHT node. */
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { BitWorkerError } from '../../base/errors.ts'
import { explain } from '../output/failure.ts'
import { JsonOutput } from '../output/json-output.ts'
import { onInterrupt } from '../run/interrupt.ts'

/** The flags as typed. */
export interface TrackerFlags {
  /** 0: any free port */
  port: number
  dhtPort: number
  /** an IPv4 address of this machine; default: all its addresses */
  host?: string
  json: boolean
}

interface Service { port: number, close: () => void }

/** Runs until it is interrupted. Throws BW_ERR_PORT_IN_USE, BW_ERR_ADDRESS, BW_ERR_USAGE. */
export async function tracker (flags: TrackerFlags): Promise<void> {
  if (flags.host !== undefined && !isIPv4(flags.host)) {
    throw new BitWorkerError(
      'BW_ERR_USAGE',
      'usage',
      `--host ${flags.host}: This is not an IPv4 address, which the DHT needs. Give an address of this machine, such as 127.0.0.1.`
    )
  }
  const interrupted = new Promise<void>(resolve => { onInterrupt(resolve) })
  const server = await startTracker(flags.port, flags.host)
  const dht = await startDht(flags.dhtPort, flags.host)
  announce(flags, server.port, dht.port)
  await interrupted
  // nothing is stored, so nothing is awaited: the end of the process closes the rest
  server.close()
  dht.close()
  new JsonOutput(flags.json).emit('stopped')
}

/** Starts HTTP, UDP and WebSocket on one port. */
async function startTracker (port: number, host?: string): Promise<Service> {
  const { TrackerServer } = await import('../../discovery/tracker-server.ts')
  const server = new TrackerServer()
  // The package's own listen() would use a different port for each of the three if any free port was requested.
  server.http.listen(port, host)
  await listening(server.http, `--port ${port}`)
  const bound = (server.http.address() as AddressInfo).port
  await listening(server.udp4.bind(bound, host), `--port ${bound}`)
  // Not every machine has IPv6; the tracker works without it.
  if (host === undefined) await listening(server.udp6.bind(bound), `--port ${bound}`).catch(() => {})
  return { port: bound, close: () => { server.close(() => {}) } }
}

async function startDht (port: number, host?: string): Promise<Service> {
  await import('../../webtorrent/package-guards.ts')
  const { Client } = await import('bittorrent-dht')
  // It is itself the first node, so it must not look for others.
  const dht = new Client({ bootstrap: false })
  const listen = dht.listen.bind(dht) as (port: number, host?: string) => void
  listen(port, host)
  await listening(dht, `--dht-port ${port}`)
  // later errors concern single datagrams, and end nothing
  dht.on('error', () => {})
  return { port: dht.address().port, close: () => { dht.destroy(() => {}) } }
}

async function listening (socket: EventEmitter, flag: string): Promise<void> {
  try {
    await once(socket, 'listening')
  } catch (error) {
    throw explain(error, (error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL' ? '--host' : flag)
  }
}

function announce (flags: TrackerFlags, port: number, dhtPort: number): void {
  const isEverywhere = flags.host === undefined || flags.host === '0.0.0.0'
  const host = isEverywhere ? '127.0.0.1' : flags.host!
  const at = `${host}:${port}`
  const urls = [`http://${at}/announce`, `udp://${at}/announce`, `ws://${at}`]
  const flagsFor = (address: string): string[] => [
    '--announce', `http://${address}:${port}/announce`,
    '--dht-bootstrap', `${address}:${dhtPort}`
  ]
  new JsonOutput(flags.json).emit('listening', { port, dhtPort, announce: urls, flags: flagsFor(host) })
  const others = isEverywhere ? lanAddresses() : []
  const stream = flags.json ? process.stderr : process.stdout
  stream.write(
    [
      'tracker   ' + urls.join('\n          '),
      `DHT node  ${host}:${dhtPort}`,
      '',
      'On this machine:',
      `  bitworker run TASK ${flagsFor(host).join(' ')}`,
      ...others.flatMap(address => [
        `Where ${address} is reachable:`, `  bitworker run TASK ${flagsFor(address).join(' ')}`
      ]),
      '',
      'Press Ctrl-C to stop.',
      ''
    ].join('\n')
  )
}

function lanAddresses (): string[] {
  return Object.values(networkInterfaces()).flatMap(list => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
}
