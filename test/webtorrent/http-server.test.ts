// The HTTP server of a client: whatever is requested ends with an answer, or with the end of its connection.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import test from 'tape'
import type { Test } from 'tape'
import fixtures from 'webtorrent-fixtures'
import { isOwnName } from '../../lib/system/own-name.ts'
import type { ServerOptions } from '../../lib/webtorrent/inherited-options.ts'
import { createFolder, within } from '../helpers/disk.ts'
import { createClient } from '../helpers/swarm.ts'

const { leaves } = fixtures

async function serve (t: Test, options?: ServerOptions): Promise<number> {
  const client = createClient(t)
  const { server } = client.createServer(options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await once(client.add(leaves.torrent, { path: createFolder(t) }), 'ready')
  return (server.address() as AddressInfo).port
}

/** The status, or 'closed'; and the headers. */
async function ask (
  port: number, path: string, headers: Record<string, string> = {}, method = 'GET'
): Promise<[number | 'closed', Record<string, unknown>]> {
  return within(
    new Promise(resolve => {
      const req = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, res => {
        resolve([res.statusCode!, res.headers])
        res.destroy()
      })
      req
        .on('error', () => {
          resolve(['closed', {}])
        })
        .end()
    }),
    path
  )
}

test('bad escapes, paths and ranges', async t => {
  const port = await serve(t)
  const root = `/webtorrent/${leaves.parsedTorrent.infoHash}`
  const file = `${root}/${encodeURIComponent(leaves.parsedTorrent.name)}`
  for (const [path, status] of [
    ['/webtorrent/x/%zz', 400],
    [`${root}/%zz`, 400],
    [`${root}/%`, 400],
    [`${root}/%ff`, 400],
    ['/webtorrent/%zz', 400],
    ['//', 'closed'],
    ['/', 'closed'],
    [`${root}/%00`, 404],
    [`${root}/../..`, 'closed'],
    ['/webtorrent/magnet:%3Fxt=urn:btih:x&so=0-999999999/x', 404],
    ['/webtorrent', 200]
  ] as const)
    t.equal((await ask(port, path))[0], status, path)
  for (const range of [
    'bytes=0-0',
    'bytes=5-1',
    `bytes=${'0-0,'.repeat(2000)}0-0`,
    'bytes=-99999999999999999999',
    'bytes=1e999-',
    'x',
    '\u00ff'.repeat(99)
  ]) {
    t.ok([200, 206].includes((await ask(port, file, { range }, 'HEAD'))[0] as number), range.slice(0, 40))
  }
  t.equal((await ask(port, '/webtorrent'))[0], 200, 'and it answers as before')
})

test('which requests are answered', async t => {
  const port = await serve(t)
  for (const host of ['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil.example']) {
    t.equal((await ask(port, '/webtorrent', { host }))[0], 403, host)
  }
  for (const host of [
    'localhost', 'localhost:1', '127.0.0.1', '[::1]:5', '192.0.2.1:80', hostname(), `${hostname()}.local:80`
  ]) {
    t.equal((await ask(port, '/webtorrent', { host }))[0], 200, host)
  }
  t.equal(
    (await ask(port, '/webtorrent', { origin: 'http://evil.example' }))[1]['access-control-allow-origin'],
    undefined,
    'no other page, by default'
  )
  t.equal((await ask(port, '/webtorrent', { origin: 'http://evil.example' }, 'OPTIONS'))[0], 405)
  t.ok(isOwnName('my.name:80', 'my.name'))
  for (const [origin, allowed] of [['*', '*'], ['http://good.example', 'http://good.example']] as const) {
    const other = await serve(t, { origin })
    t.equal(
      (await ask(other, '/webtorrent', { origin: 'http://good.example' }))[1]['access-control-allow-origin'],
      allowed,
      `origin: ${origin}`
    )
  }
})

test('lines that are no requests, and more connections than it takes', async t => {
  const port = await serve(t)
  for (const line of [
    '\0\0\0',
    'GET',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    'GET /webtorrent HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
  ]) {
    const socket = connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume()
    const closed = new Promise(resolve => {
      socket.once('close', resolve)
    })
    socket.end(line)
    await within(closed, line.slice(0, 20))
  }
  const sockets = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => {}).resume())
  const closed = sockets.map(socket => new Promise(resolve => { socket.once('close', resolve) }))
  await within(Promise.any(closed.slice(256)), 'one of those beyond 256 to be closed')
  for (const socket of sockets) socket.destroy()
  await Promise.all(closed)
  t.equal((await ask(port, '/webtorrent'))[0], 200, 'and it answers as before')
})
