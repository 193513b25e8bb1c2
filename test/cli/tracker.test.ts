import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Client as Dht } from 'bittorrent-dht'
import test from 'tape'
import { workspace } from '../helpers/cli.ts'

const LOOPBACK = ['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0']

interface Listening { port: number, dhtPort: number, announce: string[], flags: string[] }

test('tracker listens, says where, and stops', async t => {
  const { start } = await workspace(t)
  const tracker = start([...LOOPBACK, '--json'])
  const { port, dhtPort, announce, flags } = await tracker.event('listening') as unknown as Listening
  t.deepEqual(announce, [
    `http://127.0.0.1:${port}/announce`,
    `udp://127.0.0.1:${port}/announce`,
    `ws://127.0.0.1:${port}`
  ])
  t.deepEqual(flags, ['--announce', `http://127.0.0.1:${port}/announce`, '--dht-bootstrap', `127.0.0.1:${dhtPort}`])
  const response = await fetch(`http://127.0.0.1:${port}/stats.json`)
  t.equal((await response.json() as { torrents: number }).torrents, 0, 'the tracker answers')

  const dht = new Dht({ bootstrap: [`127.0.0.1:${dhtPort}`] })
  dht.listen(0)
  await once(dht, 'ready')
  t.deepEqual(dht.toJSON().nodes.map(node => node.port), [dhtPort], 'the DHT node answers')
  await new Promise<void>(resolve => { dht.destroy(resolve) })

  // a client that stays connected, and one that has not said what it wants
  const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  const closed = clients.map(async client => once(client.on('error', () => {}).resume(), 'close'))
  clients[0]!.write('GET /stats.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  await Promise.all([once(clients[0]!, 'data'), once(clients[1]!, 'connect')])
  tracker.kill('SIGINT')
  const { code, stderr } = await tracker.ended
  t.equal(code, 130, 'whoever is connected is not waited for')
  await Promise.all(closed)
  t.ok(stderr.includes(flags.join(' ')), 'people read the flags on stderr')
  t.equal(tracker.events.at(-1)?.event, 'stopped')
})

test('tracker on a port that is taken', async t => {
  const { run } = await workspace(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, events, stderr } = await run([
    'tracker', '--host', '127.0.0.1', '--port', String(port), '--dht-port', '0', '--json'
  ])
  t.deepEqual([code, events.map(event => event['code'])], [2, ['BW_ERR_PORT_IN_USE']])
  t.match(stderr, new RegExp(`^bitworker: --port ${port}: Another program uses this port\\. [^\\n]*\\n$`))
  await new Promise(resolve => { server.close(resolve) })
})
