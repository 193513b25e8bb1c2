/** The network flags that `run` and `info` share, and the corresponding options of WebTorrent. */
import { lookup } from 'node:dns/promises'
import { BitWorkerError } from '../../base/errors.ts'
import type { WebTorrentOptions } from '../../webtorrent/inherited-options.ts'
import { explain } from '../output/failure.ts'
import { formatHostPort } from './values.ts'
import type { HostPort } from './values.ts'

/** The network flags as typed. */
export interface NetworkFlags {
  peer: HostPort[]
  announce: string[]
  /** 0: any free port */
  port: number
  dht: boolean
  dhtBootstrap: HostPort[]
  lsd: boolean
  nat: boolean
  tracker: boolean
  utp: boolean
  /** bytes per second */
  downloadLimit?: number
  uploadLimit?: number
}

/** The options of a client. Throws BW_ERR_USAGE for contradictory flags. */
export function clientOptions (flags: NetworkFlags): WebTorrentOptions {
  if (!flags.dht && flags.dhtBootstrap.length > 0) {
    throw new BitWorkerError(
      'BW_ERR_USAGE', 'usage', '--dht-bootstrap needs the DHT, which --no-dht turns off. Leave out one of them.'
    )
  }
  return {
    torrentPort: flags.port,
    dht: flags.dhtBootstrap.length > 0 ? { bootstrap: flags.dhtBootstrap.map(formatHostPort) } : flags.dht,
    lsd: flags.lsd,
    natUpnp: flags.nat,
    natPmp: flags.nat,
    tracker: flags.tracker,
    utp: flags.utp,
    ...(flags.downloadLimit !== undefined && { downloadLimit: flags.downloadLimit }),
    ...(flags.uploadLimit !== undefined && { uploadLimit: flags.uploadLimit })
  }
}

/** `ADDRESS:PORT` of each `--peer`. Throws BW_ERR_HOST for a name that does not resolve. */
export async function resolvePeers (peers: HostPort[]): Promise<string[]> {
  return Promise.all(peers.map(async ({ host, port }) => {
    try {
      // IPv4 first: most peers listen there even if their names have both kinds of addresses.
      const { address } = await lookup(host, { order: 'ipv4first' })
      return formatHostPort({ host: address, port })
    } catch (error) {
      throw new BitWorkerError('BW_ERR_HOST', 'input', `--peer ${host}: There is no such host. Check the name.`, {
        cause: explain(error)
      })
    }
  }))
}
