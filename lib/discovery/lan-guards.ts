/**
 * Guards the protocols of the local network: LSD (BEP 14), NAT-PMP (RFC 6886) and UPnP. Anyone there can send them
 * datagrams, so those that are malformed, or do not come from the expected sender, are silently ignored. Installed by
 * package-guards.ts.
 */
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:dgram'
import LSD from 'bittorrent-lsd'
import NatPmp from '@silentbot1/nat-api/lib/pmp/index.js'
import Device from '@silentbot1/nat-api/lib/upnp/device.js'
import Ssdp from '@silentbot1/nat-api/lib/upnp/ssdp.js'
import { inheritedMethod } from '../base/inherited.ts'
import { fetchBounded } from '../system/fetch.ts'
import type { FetchOptions } from '../system/fetch.ts'

const NAT = '@silentbot1/nat-api'

/** BEP 14: an announcement fits into one packet. */
const MAX_LSD_BYTES = 1400
/** UPnP: limits for the answer to a search, the description of a router, and the answer to a command. */
const MAX_SSDP_BYTES = 2048
const MAX_XML_BYTES = 256 * 1024
const UPNP_MS = 3_000
/** Services of a description that are examined; a router has about ten. */
const MAX_SERVICES = 64
/** The error of a router that supports only mappings without an expiry. */
const ONLY_PERMANENT = '725'

/** BEP 14's addresses; each announcement names one. */
const LSD_HOSTS = new Set(['239.192.152.143:6771', '[ff15::efc0:988f]:6771'])
const NAT_PMP_PORT = 5351
/** Length of an answer by the request (RFC 6886): external address, UDP port, TCP port. */
const NAT_PMP_BYTES = [12, 16, 16]

interface Announcement { host: string, port: string, infoHash: string[], cookie: string | null }

/** The internals of bittorrent-lsd. */
export interface InternalLsd extends EventEmitter {
  readonly infoHash: string
  readonly server: Socket
  _parseAnnounce (this: InternalLsd, announce: string): Announcement | null
  start (this: InternalLsd): void
}

interface PmpRequest { op: number, resolve (answer: object): void, reject (err: Error): void }
interface Sender { address: string, port: number }

/** The internals of nat-api's NAT-PMP client. */
export interface InternalPmp {
  readonly gateway: string
  _queue: PmpRequest[]
  _reqActive: boolean
  socket: Socket | null
  onMessage (this: InternalPmp, message: Buffer, from: Sender): void
  onError (this: InternalPmp, err: Error): void
  onClose (this: InternalPmp): void
}

/** The internals of nat-api's search for routers. */
export interface InternalSsdp extends EventEmitter {
  _parseResponse (this: InternalSsdp, response: string, address: string, from?: Sender): void
}

type Argument = [name: string, value: string | number | undefined]

/** The internals of nat-api's router. */
export interface InternalDevice {
  readonly url: string
  /** the types of service that can map ports */
  readonly services: string[]
  readonly permanentFallback: boolean
  run (this: InternalDevice, action: string, args: Argument[]): Promise<unknown>
}

/** Installs the guards. */
export function guardLan (): void {
  guardLsd(LSD.prototype as unknown as InternalLsd)
  guardPmp(NatPmp.prototype as unknown as InternalPmp)
  guardSsdp(Ssdp.prototype as unknown as InternalSsdp)
  guardDevice(Device.prototype as unknown as InternalDevice)
}

function guardLsd (prototype: InternalLsd): void {
  inheritedMethod(prototype, '_parseAnnounce', 'bittorrent-lsd')
  const start = inheritedMethod(prototype, 'start', 'bittorrent-lsd')
  prototype._parseAnnounce = function (text) { return readAnnouncement(text, this.infoHash) }
  prototype.start = function () {
    // without multicast (no network, port in use) there is no LSD, but the torrent still works
    this.server.removeAllListeners('error')
    this.server.on('error', err => { this.emit('warning', new Error(`local service discovery: ${err.message}`)) })
    start.call(this)
  }
}

/** Returns the announcement if it is valid and for this torrent; the package would accept addresses for any torrent. */
function readAnnouncement (text: string, infoHash: string): Announcement | null {
  if (text.length > MAX_LSD_BYTES) return null
  const [first, ...lines] = text.split('\r\n')
  if (first !== 'BT-SEARCH * HTTP/1.1') return null
  const headers = lines.map(line => /^([A-Za-z]{1,16}): {0,4}(\S{1,128})$/.exec(line)).filter(found => found !== null)
  const values = (name: string): string[] =>
    headers.filter(([, key]) => key!.toLowerCase() === name).map(([, , value]) => value!)
  const [host = ''] = values('host')
  const [port = ''] = values('port')
  if (!LSD_HOSTS.has(host) || !/^\d{1,5}$/.test(port) || Number(port) === 0 || Number(port) > 65_535) return null
  if (!values('infohash').some(value => value.toLowerCase() === infoHash)) return null
  return { host, port: String(Number(port)), infoHash: [infoHash], cookie: values('cookie').at(-1) ?? null }
}

function guardPmp (prototype: InternalPmp): void {
  const onMessage = inheritedMethod(prototype, 'onMessage', NAT)
  inheritedMethod(prototype, 'onError', NAT)
  prototype.onMessage = function (message, from) {
    const op = this._queue[0]?.op
    if (op === undefined || from.address !== this.gateway || from.port !== NAT_PMP_PORT) return
    // a refusal may consist of its code only
    const isWhole = message.length >= 8 && (message.readUInt16BE(2) !== 0 || message.length >= NAT_PMP_BYTES[op]!)
    if (isWhole && message[0] === 0 && message[1] === 128 + op) onMessage.call(this, message, from)
  }
  // the package emits an 'error' without a listener
  prototype.onError = function (err) {
    const { socket } = this
    for (const request of this._queue.splice(0)) request.reject(err)
    this._reqActive = false
    this.onClose()
    try { socket?.close() } catch {} // it was closed before
  }
}

function guardSsdp (prototype: InternalSsdp): void {
  inheritedMethod(prototype, '_parseResponse', NAT)
  prototype._parseResponse = function (response, address, from) {
    const headers = response.length > MAX_SSDP_BYTES ? null : readSearchAnswer(response)
    // otherwise anyone could make us fetch any URL
    if (headers !== null && from !== undefined && hostOf(headers.location) === from.address) {
      this.emit('_device', headers, address)
    }
  }
}

function readSearchAnswer (response: string): { st: string, location: string } | null {
  const [first = '', ...lines] = response.split('\r\n')
  if (!/^HTTP\/1\.\d 200\b/.test(first)) return null
  const header = (name: string): string => {
    const line = lines.find(each => each.slice(0, name.length + 1).toLowerCase() === `${name}:`)
    return line === undefined ? '' : line.slice(name.length + 1).trim()
  }
  const [st, location] = [header('st'), header('location')]
  return st !== '' && /^http:\/\//i.test(location) ? { st, location } : null
}

function hostOf (url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined
}

/** The package reads whole documents, of any length and duration, for a few values in them. */
function guardDevice (prototype: InternalDevice): void {
  inheritedMethod(prototype, 'run', NAT)
  prototype.run = async function (action, args) {
    const { type, url } = await findService(this)
    const body = envelope(action, type, args)
    const { status, text } = await fetchText(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/xml; charset="utf-8"', soapaction: `"${type}#${action}"`, connection: 'close' }
    })
    if (status === 200) return {}
    if (
      /<errorCode>(\d{3})<\/errorCode>/.exec(text)?.[1] === ONLY_PERMANENT &&
      this.permanentFallback &&
      args.at(-1)?.[1] !== 0
    ) {
      return this.run(action, [...args.slice(0, -1), ['NewLeaseDuration', 0]])
    }
    throw new Error(`the router refused: HTTP ${status}`)
  }
}

async function findService ({ url, services }: InternalDevice): Promise<Service> {
  const { status, text } = await fetchText(url, {})
  const found = status === 200 ? serviceIn(text, url, services) : null
  if (found === null) throw new Error('the router has no port mapping service')
  return found
}

interface Service { type: string, url: string }

/**
 * Returns the first service of one of the types in a router's description, which came from `url`; it must be on the
 * same host.
 */
export function serviceIn (description: string, url: string, types: string[]): Service | null {
  const base = element(description, 'URLBase') || url
  for (const part of description.split('<service>', MAX_SERVICES + 1).slice(1)) {
    const [type, path] = [element(part, 'serviceType'), element(part, 'controlURL')]
    if (!types.includes(type) || path === '') continue
    const control = URL.canParse(path, base) ? new URL(path, base) : undefined
    if (control?.protocol === 'http:' && hostOf(control.href) === hostOf(url)) return { type, url: control.href }
  }
  return null
}

/** The text of the first element with that name; '' if there is none. */
function element (xml: string, name: string): string {
  const start = xml.indexOf(`<${name}>`)
  const end = start === -1 ? -1 : xml.indexOf(`</${name}>`, start)
  return end === -1 ? '' : xml.slice(start + name.length + 2, end).trim()
}

function envelope (action: string, type: string, args: Argument[]): string {
  const values = args.map(([name, value]) => `<${name}>${escapeXml(String(value || ''))}</${name}>`).join('')
  return '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${type}">${values}</u:${action}></s:Body></s:Envelope>`
}

function escapeXml (text: string): string {
  return text.replace(/[<>&"]/g, char => `&#${char.charCodeAt(0)};`)
}

async function fetchText (url: string, options: Partial<FetchOptions>): Promise<{ status: number, text: string }> {
  const { status, bytes } = await fetchBounded(url, {
    ...options, maxBytes: MAX_XML_BYTES, timeoutMs: UPNP_MS, redirect: 'error'
  })
  return { status, text: new TextDecoder().decode(bytes) }
}
