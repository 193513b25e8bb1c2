// Whoever is on the local network can send datagrams to LSD, NAT-PMP, UPnP and the DHT: what is malformed is ignored.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import bencode from 'bencode'
import { Client as Dht } from 'bittorrent-dht'
import LSD from 'bittorrent-lsd'
import NatPmp from '@silentbot1/nat-api/lib/pmp/index.js'
import Device from '@silentbot1/nat-api/lib/upnp/device.js'
import Ssdp from '@silentbot1/nat-api/lib/upnp/ssdp.js'
import test from 'tape'
import { serviceIn } from '../../lib/discovery/lan-guards.ts'
import type { InternalDevice, InternalLsd, InternalPmp, InternalSsdp } from '../../lib/discovery/lan-guards.ts'
import { cleanUp } from '../helpers/disk.ts'

await import('../../lib/webtorrent/package-guards.ts')

const HASH = 'ab'.repeat(20)

test('LSD accepts announcements for this torrent, and ignores everything else', t => {
  const lsd = Object.assign(Object.create(LSD.prototype) as InternalLsd, { infoHash: HASH })
  lsd.emit = () => { throw new Error('a warning: a string, which ends the process') }
  const read = (text: string): unknown => lsd._parseAnnounce(text)
  const good = `BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ${HASH.toUpperCase()}\r\ncookie: x\r\n\r\n\r\n`
  t.same(read(good), { host: '239.192.152.143:6771', port: '6881', infoHash: [HASH], cookie: 'x' })
  for (const [what, text] of [
    ['nothing', ''],
    ['the first line alone', 'BT-SEARCH'],
    ['with a version', 'BT-SEARCH * HTTP/1.1'],
    ['and a line', 'BT-SEARCH * HTTP/1.1\r\n'],
    ['no Host', good.replace(/Host.*\r\n/, '')],
    ['no Port', good.replace(/Port.*\r\n/, '')],
    ['no Infohash', good.replace(/Infohash.*\r\n/, '')],
    ['port 0', good.replace('6881', '0')],
    ['port 65536', good.replace('6881', '65536')],
    ['port x', good.replace('6881', 'x')],
    ['another torrent', good.replaceAll('AB', 'CD')],
    ['another host', good.replace('143', '144')],
    ['too much', good + 'x'.repeat(2000)]
  ] as const)
    t.equal(read(text), null, what)
  t.end()
})

test('NAT-PMP accepts only complete answers, and only from its gateway', async t => {
  const client = Object.assign(Object.create(NatPmp.prototype) as InternalPmp, {
    gateway: '192.0.2.1', _queue: [] as InternalPmp['_queue'], _reqActive: true, socket: null
  })
  const settled: unknown[] = []
  const ask = (op: number): void => {
    client._queue = [{
      op, resolve: answer => { settled.push(answer) }, reject: err => { settled.push(err.message) }
    }]
  }
  const gateway = { address: '192.0.2.1', port: 5351 }
  const answer = Buffer.from('00820000000000011ae11ae100001c20', 'hex')
  ask(2)
  for (const length of [0, 1, 2, 3, 7, 8, 12, 15]) client.onMessage(answer.subarray(0, length), gateway)
  client.onMessage(answer, { address: '192.0.2.2', port: 5351 })
  client.onMessage(answer, { address: '192.0.2.1', port: 5352 })
  t.same(settled, [], 'neither too short nor from anybody else')
  client.onMessage(answer, gateway)
  t.equal((settled[0] as { public: number }).public, 6881)
  client.onMessage(answer, gateway)
  ask(2)
  client.onMessage(Buffer.from('0082000200000001', 'hex'), gateway)
  t.match(String(settled[1]), /Refused/)
  ask(2)
  client.onError(new Error('no network'))
  t.equal(settled[2], 'no network', 'an error of the socket is that of the request')
  t.end()
})

test('UPnP: a router is where its answer comes from', t => {
  const ssdp: InternalSsdp = Object.create(Ssdp.prototype)
  const found: unknown[] = []
  ssdp.emit = (...args: unknown[]) => found.push(args) > 0
  const good = 'HTTP/1.1 200 OK\r\nST: urn:x\r\nLOCATION: http://192.0.2.1:5000/desc.xml\r\n\r\n'
  const from = { address: '192.0.2.1', port: 1900 }
  for (const text of [
    '',
    'HTTP',
    good.replace('200', '404'),
    good.replace('LOCATION', 'X'),
    good.replace('ST', 'X'),
    good.replace('http:', 'file:'),
    good.replace('192.0.2.1', '192.0.2.2'),
    `${good}${' '.repeat(60_000)}`,
    `HTTP/1.1 200 OK\r\n${' '.repeat(2000)}`
  ])
    ssdp._parseResponse(text, '192.0.2.9', from)
  t.same(found, [])
  ssdp._parseResponse(good, '192.0.2.9', from)
  t.same(found, [['_device', { st: 'urn:x', location: 'http://192.0.2.1:5000/desc.xml' }, '192.0.2.9']])
  t.end()
})

test('UPnP: what a router describes and answers is read within bounds', async t => {
  const TYPE = 'urn:schemas-upnp-org:service:WANIPConnection:1'
  const service = (control: string): string =>
    `<root><service><serviceType>${TYPE}</serviceType><controlURL>${control}</controlURL></service></root>`
  let description = ''
  let status = 200
  const asked: string[] = []
  const server = createServer((req, res) => {
    let body = ''
    req.on('data', chunk => { body += String(chunk) }).on('end', () => {
      if (req.method === 'GET') return res.end(description)
      asked.push(body)
      return res.writeHead(status).end(status === 500 ? '<errorCode>725</errorCode>' : '')
    })
  }).listen(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/desc.xml`
  const { services } = new (Device as unknown as new () => InternalDevice)()
  const device = Object.assign(Object.create(Device.prototype) as InternalDevice, {
    url, services, permanentFallback: true
  })
  for (const text of [
    '',
    '<service>',
    service(''),
    service('http://192.0.2.1/x'),
    service('file:///etc'),
    service('http://['),
    'x'.repeat(300_000)
  ]) {
    description = text
    await device.run('AddPortMapping', []).then(
      () => t.fail(text.slice(0, 50)), (err: Error) => t.match(err.message, /no port mapping service|larger than/)
    )
  }
  description = service('/control')
  t.same(await device.run('AddPortMapping', [['NewProtocol', 'TCP<&'], ['NewLeaseDuration', 7200]]), {})
  t.match(
    asked[0] ?? '',
    /<u:AddPortMapping xmlns:u="urn:[^"]*"><NewProtocol>TCP&#60;&#38;<\/NewProtocol><NewLeaseDuration>7200</
  )
  status = 500
  await device.run('AddPortMapping', [['NewLeaseDuration', 7200]]).then(
    () => t.fail('it refuses'), (err: Error) => t.match(err.message, /HTTP 500/)
  )
  t.equal(asked.length, 3, 'a mapping for ever is asked for once')
})

const service = (type: string): string =>
  `<service><serviceType>${type}</serviceType><controlURL>/c</controlURL></service>`

test('UPnP: a description costs as much as it is long, however many services are in it', t => {
  let searched = 0
  const { value: indexOf } = Reflect.getOwnPropertyDescriptor(String.prototype, 'indexOf') as {
    value: (this: string, wanted: string, from?: number) => number
  }
  const counting = function (this: string, wanted: string, from = 0): number {
    const at = indexOf.call(this, wanted, from)
    searched += (at === -1 ? this.length : at) - from
    return at
  }
  Reflect.defineProperty(String.prototype, 'indexOf', { value: counting })
  try {
    for (const count of [1, 10, 3_000]) {
      const description = `<root>${service('other').repeat(count)}<URLBase>http://[</URLBase>${service('x').repeat(count)}</root>`
      searched = 0
      const found = serviceIn(description, 'http://192.0.2.1/d', ['x'])
      t.equal(found, null, `the base is none, ${count} services of either kind`)
      t.ok(searched <= 2 * description.length, `${searched} characters searched of ${description.length}`)
    }
  } finally {
    Reflect.defineProperty(String.prototype, 'indexOf', { value: indexOf })
  }
  t.equal(serviceIn(service('other').repeat(63) + service('x'), 'http://192.0.2.1/d', ['x'])?.url, 'http://192.0.2.1/c')
  t.equal(
    serviceIn(service('other').repeat(64) + service('x'), 'http://192.0.2.1/d', ['x']),
    null,
    'routers have fewer'
  )
  t.end()
})

test('a DHT node gets messages of the wrong types', async t => {
  const dht = new Dht({ bootstrap: false })
  dht.on('error', (err: Error) => { t.fail(err.message) })
  dht.listen(0, '127.0.0.1')
  await once(dht, 'listening')
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { socket.close(() => { dht.destroy(resolve) }) }))
  const id = Buffer.alloc(20, 1)
  const send = (message: unknown): void => { socket.send(bencode.encode(message), dht.address().port, '127.0.0.1') }
  for (const wrong of [5, [], {}, 'short', { toString: 5 }]) {
    for (const q of ['ping', 'find_node', 'get_peers', 'announce_peer', 'get', 'put']) {
      for (const name of ['id', 'target', 'info_hash', 'token', 'port', 'v', 'k', 'sig', 'salt', 'seq', 'cas']) {
        send({ t: 'aa', y: 'q', q, a: { id, target: id, info_hash: id, token: 'x', port: 1, v: 'x', [name]: wrong } })
      }
    }
    send({ t: 'aa', y: 'r', r: { id: wrong, nodes: wrong, values: wrong, token: wrong } })
    send({ t: 'aa', y: 'e', e: wrong })
    send({ t: 'aa', y: 'e', e: [201, wrong] })
    send({ t: wrong, y: wrong, q: wrong, a: wrong, r: wrong, e: wrong })
    send(wrong)
    const answered = once(socket, 'message')
    send({ t: 'zz', y: 'q', q: 'ping', a: { id } })
    await answered
    t.ok(dht.address(), `${JSON.stringify(wrong)} in each place`)
  }
})
