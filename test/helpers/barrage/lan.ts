/**
 * A local network with a hostile router in it: a gateway that answers NAT-PMP, and a device that answers searches for
 * UPnP.
 */
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Socket } from 'node:dgram'
import type { Source } from './fire.ts'

/** The only machine, and its router. */
export const HOST = '10.9.0.2'
const ROUTER = '10.9.0.1'
const SEARCH_GROUP = '239.255.255.250'

/**
 * Run by bash in a network namespace of its own; the route comes before the address, as it may not lead to ourselves.
 */
export const SETUP = `set -e
ip link set lo up
ip link add lan type veth peer name other
ip link set other up
ip address add ${HOST}/24 dev lan
ip link set lan multicast on up
ip route add default via ${ROUTER}
ip address add ${ROUTER}/32 dev lan`

/** The router's sockets, once something has asked them. */
export interface Router {
  readonly pmp: Socket
  readonly upnp: Socket
  readonly asked: { pmp: number, upnp: number, http: number }
  close (): void
}

/** Sets the network up, and the router. Answers at once with `burst` inputs each time it is asked. */
export async function openRouter (pmpSource: Source, upnpSource: Source, burst: number): Promise<Router> {
  execFileSync('bash', ['-c', SETUP])
  const asked = { pmp: 0, upnp: 0, http: 0 }
  const pmp = createSocket('udp4').bind(5351, ROUTER)
  await once(pmp, 'listening')
  pmp.on('message', (_message, from) => {
    asked.pmp++
    for (let i = 0; i < burst; i++) pmp.send(pmpSource(), from.port, from.address)
  })
  const http = createServer((req, res) => {
    asked.http++
    req.resume()
    res.end(upnpSource())
  }).listen(0, ROUTER)
  await once(http, 'listening')
  const location = `http://${ROUTER}:${(http.address() as AddressInfo).port}/x`
  const upnp = createSocket({ type: 'udp4', reuseAddr: true }).bind(1900)
  await once(upnp, 'listening')
  upnp.addMembership(SEARCH_GROUP, HOST)
  const answers = createSocket('udp4').bind(0, ROUTER)
  await once(answers, 'listening')
  upnp.on('message', (message, from) => {
    const st = /^ST: (.*)\r$/m.exec(message.toString())?.[1]
    if (st === undefined) return
    // the first one that is an answer is taken
    if (++asked.upnp > 1) {
      answers.send(`HTTP/1.1 200 OK\r\nST: ${st}\r\nLOCATION: ${location}\r\n\r\n`, from.port, from.address)
    }
    for (let i = 0; i < burst; i++) answers.send(upnpSource(), from.port, from.address)
  })
  for (const socket of [pmp, upnp, answers]) socket.on('error', () => {})
  const close = (): void => {
    for (const socket of [pmp, upnp, answers]) socket.close()
    http.close()
  }
  return { pmp, upnp: answers, asked, close }
}
