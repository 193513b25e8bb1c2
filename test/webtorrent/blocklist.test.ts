// A list of refused addresses at a URL: what is in it can be anything.
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'tape'
import BitWorker from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'

test('lines that are no ranges are left out, and the others hold', async t => {
  const lines = [
    '9.9.9.9-1.1.1.1', '999.1.1.1', '1.2.3.4/33', '1.2.3.4-', `${'x: '.repeat(100_000)}1.2.3.4`, '\0\xff', 'bad',
    '192.0.2.1/31', `${'y'.repeat(5_000)}:198.51.100.1 - 198.51.100.2\r`
  ]
  const server = createServer((_req, res) => { res.end(lines.join('\n')) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new BitWorker({
    dht: false,
    lsd: false,
    natPmp: false,
    natUpnp: false,
    utp: false,
    tracker: false,
    blocklist: `http://127.0.0.1:${port}`
  })
  t.notOk(client.ready)
  await within(once(client as unknown as EventEmitter, 'ready'), 'ready')
  t.ok(client.ready)
  const { blocked } = client as unknown as { blocked: { contains (address: string): boolean } }
  const refused = ['1.1.1.1', '1.2.3.4', '192.0.2.0', '192.0.2.1', '192.0.2.2', '198.51.100.1', '198.51.100.3']
  t.same(refused.filter(each => blocked.contains(each)), ['1.2.3.4', '192.0.2.0', '192.0.2.1', '198.51.100.1'])
  server.close()
  await new Promise<void>(resolve => { client.destroy(() => { resolve() }) })
})
