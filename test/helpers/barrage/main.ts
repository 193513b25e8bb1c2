// Everything a stranger can send to the command and the library, over real sockets. Prints a line of JSON for each
// door.
//   node main.ts SEED INPUTS lan|loopback [DOOR …]
// lan: this is a network namespace of our own, and every default is on. Default: every door.
import { createSocket } from 'node:dgram'
import type { Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createTask, encodeTask } from '../../../lib/index.ts'
import { doors } from '../fuzz-doors.ts'
import { targets } from '../fuzz-targets.ts'
import { randomSource } from '../fuzzer.ts'
import type { FuzzTarget } from '../fuzzer.ts'
import { Child } from './child.ts'
import type { Memory } from './child.ts'
import { Echo, fireConnections, fireDatagrams, sourceOf } from './fire.ts'
import type { Source } from './fire.ts'
import { HOST, openRouter } from './lan.ts'
import { overHttp, overUdp, overWebSocket } from './trackers.ts'

const [seed, inputs] = process.argv.slice(2, 4).map(Number) as [number, number]
const isLan = process.argv[4] === 'lan'
const wanted = process.argv.slice(5)
const dir = mkdtempSync(path.join(tmpdir(), 'bitworker-barrage-'))
process.on('exit', () => { rmSync(dir, { recursive: true, force: true }) })
const random = randomSource(seed)
const target = (name: string): FuzzTarget => [...doors, ...targets].find(each => each.name === name)!
const source = (name: string): Source => sourceOf(target(name), random)
const PING = Buffer.from('d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:zz1:y1:qe')
/** For all inputs of a door; each one has as long as a process needs on the busiest machine. */
const DEADLINE_MS = 60_000
const INPUT_MS = 20
/** After SIGINT a process may still answer as often as in three seconds before it. */
const SECONDS = 3
const FEW = 500

/**
 * What a half of the inputs may leave: the tables that strangers fill have bounds, beyond which nothing is kept. And
 * what the process may have more of at the end of the other half, where its allocator is as it likes.
 */
const MAX_KEPT_BYTES = 48 << 20
const MAX_GROWTH = 1.25

const report = (door: string, fields: object): void => {
  process.stdout.write(`${JSON.stringify({ door, ...fields })}\n`)
}

async function socketAt (address: string): Promise<DatagramSocket> {
  const socket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  socket.on('error', () => {})
  return socket
}

type Opening = [door: string, fire: (count: number) => Promise<void>]

/** Sends one half of the inputs through each door, looks at the memory, and sends the other. */
async function assault (child: Child, all: Opening[]): Promise<void> {
  const openings = all.filter(([door]) => wanted.length === 0 || wanted.includes(door))
  const half = Math.ceil(inputs / 2)
  const memory = [await child.memory()]
  const seconds = new Map<string, number>()
  for (const isSecond of [false, true]) {
    for (const [door, fire] of openings) {
      const [start, before] = [performance.now(), await child.memory()]
      await child.within(fire(half), door, DEADLINE_MS + half * INPUT_MS)
      const took = (seconds.get(door) ?? 0) + (performance.now() - start) / 1000
      seconds.set(door, took)
      const kept = mebibytes((await child.memory()).kept - before.kept)
      if (isSecond) {
        report(door, { inputs: 2 * half, kept, perSecond: Math.round(2 * half / took), problem: child.problem })
      }
    }
    memory.push(await child.memory())
  }
  const [, middle, end] = memory as [Memory, Memory, Memory]
  const hasGrown =
    end.kept - middle.kept > MAX_KEPT_BYTES || end.resident > middle.resident * MAX_GROWTH + MAX_KEPT_BYTES
  report(`${child.name}: memory`, {
    resident: memory.map(({ resident }) => mebibytes(resident)),
    kept: memory.map(({ kept }) => mebibytes(kept)),
    problem: child.problem ?? (hasGrown ? 'it grows' : null)
  })
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20 * 10) / 10

/**
 * Ctrl-C among inputs that go on: nothing is measured in seconds of this machine, but in what the process could do in
 * them before.
 */
async function interrupt (child: Child, echo: Pick<Echo, 'ask'>, fire: () => void): Promise<void> {
  const start = performance.now()
  for (let asked = 0; asked < FEW; asked++) {
    fire()
    await child.within(echo.ask(), 'echo')
  }
  const perSecond = FEW / (performance.now() - start) * 1000
  let after = 0
  const interrupted = performance.now()
  const code = child.interrupt()
  const over = code.then(() => false)
  do fire()
  // one that no longer answers has closed its door, but not ended
  while (await Promise.race([over, echo.ask().then(() => true, async () => over)]) && ++after > 0)
  const ended = await code
  const seconds = Math.round((performance.now() - interrupted) / 10) / 100
  const isLate = after > Math.max(FEW, SECONDS * perSecond)
  report(`${child.name}: SIGINT`, {
    seconds,
    after,
    perSecond: Math.round(perSecond),
    problem: ended !== 130 ? `exit code ${ended}` : isLate ? `it answered ${after} times after SIGINT` : null
  })
}

const handshake = (infoHash: string): Uint8Array =>
  Buffer.concat([
    Buffer.from('\x13BitTorrent protocol'),
    Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 5]),
    Buffer.from(infoHash, 'hex'),
    Buffer.from('-XX0000-aaaaaaaaaaaa')
  ])

const utp: Pick<FuzzTarget, 'name' | 'seeds' | 'tokens'> = {
  name: 'utp',
  // BEP 29: type and version, extension, connection, two times, window, numbers
  seeds: [0x41, 0x01, 0x11, 0x21, 0x31].map(type =>
    Buffer.from([type, 0, 0, 7, ...Array<number>(8).fill(1), 0, 16, 0, 0, 0, 1, 0, 0])
  ),
  tokens: ['\0\0\0\0', '\xff\xff\xff\xff', '\x01', '\x02\x04', '\x13BitTorrent protocol']
}

async function attackRun (): Promise<void> {
  const task = createTask({ name: 'out', command: 'true', parts: 100, pieceLength: 65_536 })
  writeFileSync(path.join(dir, 'out.bitworker'), encodeTask(task))
  const router = isLan ? await openRouter(source('nat-pmp'), source('upnp'), Math.min(500, inputs)) : null
  // a node that answers what it is asked, and that with anything
  const node = await socketAt('127.0.0.1')
  const answers = source('dht')
  if (isLan) {
    node.on('message', (message, from) => {
      const at = message.indexOf('1:t2:')
      const answer = Buffer.from(answers())
      const to = answer.indexOf('1:t2:')
      if (at !== -1 && to !== -1) message.copy(answer, to + 5, at + 5, at + 7)
      node.send(answer, from.port, from.address)
    })
  }
  const off = isLan ? [] : ['--no-lsd', '--no-nat']
  const child = Child.command(
    [
      'run',
      'out.bitworker',
      '--no-compute',
      '--yes',
      '--json',
      '--dht-bootstrap',
      `127.0.0.1:${node.address().port}`,
      ...off
    ],
    dir
  )
  const port = Number((await child.said(/"listening","port":(\d+)/))[1])
  const echo = await Echo.open(PING, '127.0.0.1')
  await child.within(echo.find(child.ports.udp.filter(each => each !== port)), 'answer of the DHT')
  const wait = (): Promise<void> => child.within(echo.ask(), 'answer of the DHT')
  const sender = await socketAt('127.0.0.1')
  const datagrams =
    (to: number, next: Source, from = sender, address = '127.0.0.1') =>
      (count: number): Promise<void> =>
        fireDatagrams({ socket: from, port: to, address }, next, count, wait)
  const wire = target('wire')
  // ut_pex names addresses, which would be called
  const tame = {
    ...wire,
    name: isLan ? 'wire' : 'wire-without-pex',
    seeds: wire.seeds.filter(each => isLan || !Buffer.from(each).includes('5:added'))
  }
  const bytes = sourceOf(tame, random)
  const hello = handshake(task.infoHash)
  const others = child.ports.udp.filter(each => ![port, echo.port, 6771].includes(each))
  // which of the ports is whose does not matter: each gets all inputs
  const opening = (door: string, to: number[], from: DatagramSocket, address?: string): Opening => [
    door,
    async count => {
      for (const each of to) await datagrams(each, source(door), from, address)(count)
    }
  ]
  await assault(child, [
    ['dht', datagrams(echo.port, source('dht'))],
    ['utp', datagrams(port, sourceOf(utp, random))],
    ['wire', count => fireConnections(port, () => Buffer.concat([hello, bytes()]), count, true)],
    ...(router === null
      ? []
      : [
          opening('lsd', [6771], sender),
          opening('nat-pmp', others, router.pmp, HOST),
          opening('upnp', others, router.upnp, HOST)
        ])
  ])
  if (router !== null)
    report('router', {
      ...router.asked, problem: router.asked.pmp + router.asked.upnp > 0 ? null : 'the router was not asked'
    })
  const garbage = source('dht')
  await interrupt(child, echo, () => { for (let i = 0; i < 8; i++) sender.send(garbage(), echo.port, '127.0.0.1') })
  router?.close()
  for (const each of [node, sender, echo]) each.close()
}

async function attackTracker (): Promise<void> {
  const child = Child.command(['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json'], dir)
  const [, port, dhtPort] = (await child.said(/"port":(\d+),"dhtPort":(\d+)/)).map(Number) as [number, number, number]
  const echo = await Echo.open(PING, '127.0.0.1')
  await child.within(echo.find([dhtPort]), 'answer of the DHT')
  const wait = (): Promise<void> => child.within(echo.ask(), 'answer of the DHT')
  const sender = await socketAt('127.0.0.1')
  sender.send(Buffer.from('00000417271019800000000000000001', 'hex'), port, '127.0.0.1')
  const [connected] = await child.within(once(sender, 'message'), 'connection id') as [Buffer]
  const requests = source('tracker-server-udp')
  const connectedRequests: Source = () => {
    const bytes = Buffer.from(requests())
    if (bytes.length >= 8 && bytes[0] === 0) connected.copy(bytes, 0, 8, 16)
    return bytes
  }
  const urls = source('tracker-server-http')
  await assault(child, [
    ['tracker-server-udp', count => fireDatagrams({ socket: sender, port }, connectedRequests, count, wait)],
    [
      'tracker-server-http',
      count =>
        fireConnections(
          port,
          () => Buffer.concat([Buffer.from('GET '), urls(), Buffer.from(' HTTP/1.1\r\nHost: x\r\n\r\n')]),
          count,
          false
        )
    ],
    ['tracker-server-ws', count => fireMessages(port, source('tracker-server-ws'), count)],
    ['tracker-dht', count => fireDatagrams({ socket: sender, port: dhtPort }, source('dht'), count, wait)]
  ])
  await interrupt(child, echo, () => {
    for (let i = 0; i < 8; i++) sender.send(connectedRequests(), port, '127.0.0.1')
  })
  for (const each of [sender, echo]) each.close()
}

/** As many messages of one WebSocket as the tracker hears. */
async function fireMessages (port: number, next: Source, count: number): Promise<void> {
  const { WebSocket } = await import('ws')
  for (let sent = 0; sent < count;) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    socket.on('error', () => {})
    const closed = new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
    socket.once('open', () => {
      for (let i = 0; i < 400; i++) socket.send(Buffer.from(next()).toString())
      socket.close()
    })
    sent += 400
    await closed
  }
}

/** What one connection hears: then it is hung up on, and another client connects. */
const SOCKET_MESSAGES = 50

async function attackClient (): Promise<void> {
  const pending = new Map<string, () => void>()
  const tell = (door: string) => (): void => { pending.get(door)?.() }
  const http = await overHttp(source('tracker-http'), tell('tracker-http'))
  const udp = await overUdp(source('tracker-udp'), tell('tracker-udp'))
  const trackers = [http, udp]
  const script = fileURLToPath(new URL('asker.ts', import.meta.url))
  const child = new Child('client', [script, ...trackers.map(({ url }) => url)], dir, true)
  const [{ port, infoHash }] = (await child.within(once(child.process, 'message'), 'HTTP server')) as [
    { port: number, infoHash: string }
  ]
  const send = (which: number | string): void => { if (child.process.connected) child.process.send(which) }
  const ask = (door: string, index: number) => (count: number): Promise<void> => new Promise(resolve => {
    let left = count
    let open = 16
    pending.set(door, () => {
      if (left-- > 0) send(index)
      else if (--open === 0) resolve()
    })
    for (let i = 0; i < open; i++) send(index)
  })
  const requests = source('http-server')
  const request = (): Uint8Array => {
    const [method = '', url = '', host = '', range = '', origin = ''] = Buffer.from(requests())
      .toString('latin1')
      .replaceAll('ab'.repeat(20), infoHash)
      .split('\n')
    return Buffer.from(
      `${method} ${url} HTTP/1.1\r\nHost: ${host}\r\nRange: ${range}\r\nOrigin: ${origin}\r\n\r\n`, 'latin1'
    )
  }
  await assault(child, [
    ['tracker-http', ask('tracker-http', 0)],
    ['tracker-udp', ask('tracker-udp', 1)],
    ['tracker-ws', async count => {
      const messages = source('tracker-ws')
      for (let left = count; left > 0; left -= SOCKET_MESSAGES) {
        const socket = await overWebSocket(messages, Math.min(left, SOCKET_MESSAGES))
        send(socket.url)
        await socket.fire()
        socket.close()
      }
    }],
    ['http-server', count => fireConnections(port, request, count, false)]
  ])
  const page = `http://127.0.0.1:${port}/webtorrent`
  const echo = { ask: (): Promise<void> => fetch(page).then(async res => { await res.bytes() }) }
  await interrupt(child, echo, () => { for (let i = 0; i < 8; i++) send(1) })
  for (const tracker of trackers) tracker.close()
}

for (const attack of [attackRun, attackTracker, attackClient]) {
  const start = performance.now()
  await attack().catch((err: unknown) => { report(attack.name, { problem: String(err) }) })
  report(attack.name, { seconds: Math.round((performance.now() - start) / 1000), problem: null })
}
process.exit()
