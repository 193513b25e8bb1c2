/**
 * Guards the DHT: k-rpc-socket decodes each datagram with one function. Here it also checks that the result has the
 * types that k-rpc and bittorrent-dht rely on (BEP 5, BEP 44). The caller treats an exception as a malformed datagram.
 * Installed by package-guards.ts.
 */
import { inheritedMethod } from '../base/inherited.ts'

/** A DHT message fits into one network packet, of at most 1500 bytes. */
const MAX_DATAGRAM_BYTES = 4096
const ID_BYTES = 20

/** The copy of bencode that the DHT decodes with. */
export interface DhtBencode { decode: (data: Uint8Array) => unknown }

/** Installs the guard. */
export function guardDht (bencode: DhtBencode): void {
  const decode = inheritedMethod(bencode, 'decode', 'k-rpc-socket')
  bencode.decode = Object.assign((data: Uint8Array) => {
    if (data.length > MAX_DATAGRAM_BYTES) throw new Error('longer than a DHT message')
    const message = decode(data)
    if (isMessage(message)) return message
    throw new Error('not a DHT message')
  }, decode)
}

type Dict = Record<string, unknown>

function isMessage (message: unknown): boolean {
  if (!isDict(message) || !isBytes(message['t'], 1, 64) || !isBytes(message['y'], 1, 1)) return false
  const { y, q, a, r, e } = message
  switch (String(y)) {
    case 'q':
      return isBytes(q, 1, 32) && isDict(a) && isQuery(a, String(q))
    case 'r':
      return isDict(r) && isReply(r)
    case 'e':
      return (
        Array.isArray(e) &&
        Number.isInteger(e[0]) &&
        e.slice(0, 2).every(each => typeof each === 'number' || isBytes(each, 0, 512))
      )
    default:
      return false
  }
}

function isQuery (query: Dict, kind: string): boolean {
  const names =
    { find_node: ['target'], get_peers: ['info_hash'], announce_peer: ['info_hash'], get: ['target'] }[kind] ?? []
  return names.every(name => isBytes(query[name], ID_BYTES, ID_BYTES)) && areRight(query, QUERY)
}

function isReply (reply: Dict): boolean {
  const { values } = reply
  return (
    areRight(reply, REPLY) &&
    (values === undefined || (Array.isArray(values) && values.every(each => isBytes(each, 6, 18))))
  )
}

const OPTIONAL =
  (isRight: (value: unknown) => boolean) =>
    (value: unknown): boolean =>
      value === undefined || isRight(value)
const BYTES = (least: number, most: number) => OPTIONAL(value => isBytes(value, least, most))
const NUMBER = OPTIONAL(value => typeof value === 'number' && Number.isSafeInteger(value))

/** The keys of BEP 44, in queries and replies. */
const VALUE = {
  id: (value: unknown) => isBytes(value, ID_BYTES, ID_BYTES),
  token: BYTES(1, 128),
  k: BYTES(32, 32),
  sig: BYTES(64, 64),
  salt: BYTES(0, 64),
  seq: NUMBER,
  cas: NUMBER
}
const QUERY = {
  ...VALUE, target: BYTES(ID_BYTES, ID_BYTES), info_hash: BYTES(ID_BYTES, ID_BYTES), port: NUMBER, implied_port: NUMBER
}
const REPLY = { ...VALUE, nodes: BYTES(0, MAX_DATAGRAM_BYTES) }

function areRight (dict: Dict, rules: Record<string, (value: unknown) => boolean>): boolean {
  return Object.entries(rules).every(([name, isRight]) => isRight(dict[name]))
}

/** True for a dictionary whose keys did not change its prototype. */
function isDict (value: unknown): value is Dict {
  return (
    typeof value === 'object' &&
    value !== null &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)
  )
}

function isBytes (value: unknown, least: number, most: number): boolean {
  return Buffer.isBuffer(value) && value.length >= least && value.length <= most
}
