/**
 * Announces to a UDP tracker (BEP 15), on a socket that receives only from that tracker. Called by tracker-guards.ts.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { randomBytes } from 'node:crypto'

/** BEP 15's magic number for the first message. */
const PROTOCOL_ID = Buffer.from('0000041727101980', 'hex')
const ACTION = { connect: 0, announce: 1, error: 3 }

/** The contents of an announcement. */
export interface UdpAnnouncement {
  host: string
  port: number
  /** 20 bytes each */
  infoHash: Uint8Array
  peerId: Uint8Array
  downloaded: number
  /** undefined: unknown */
  left: number | undefined
  uploaded: number
  /** the number of BEP 15 */
  event: number
  numwant: number
  /** the port that this peer listens on */
  listening: number
}

/**
 * Resolves with the answer, without its header. Rejects with a tracker's refusal, on a timeout, and with the reason of
 * `signal`. Sends two datagrams, whatever comes back.
 */
export async function announceByUdp (
  announcement: UdpAnnouncement, timeoutMs: number, signal: AbortSignal
): Promise<Uint8Array> {
  signal.throwIfAborted()
  const socket = createSocket('udp4')
  // also after the end: a late error would be unhandled
  socket.on('error', () => {})
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      ended.addEventListener('abort', () => {
        reject(ended.reason as Error)
      })
      socket.once('error', reject)
      converse(socket, announcement, { resolve, reject })
      socket.connect(announcement.port, announcement.host)
    })
  } finally {
    socket.close()
  }
}

interface Outcome { resolve: (answer: Uint8Array) => void, reject: (err: Error) => void }

function converse (socket: Socket, announcement: UdpAnnouncement, { resolve, reject }: Outcome): void {
  let expected = ACTION.connect
  let transaction = randomBytes(4)
  socket.once('connect', () => { socket.send(Buffer.concat([PROTOCOL_ID, u32(ACTION.connect), transaction])) })
  socket.on('message', message => {
    // ignores answers to anything but the last message: they may be late, or forged
    if (message.length < 8 || !message.subarray(4, 8).equals(transaction)) return
    const action = message.readUInt32BE(0)
    if (action === ACTION.error) reject(new Error(message.subarray(8, 520).toString() || 'refused'))
    else if (action !== expected) reject(new Error('the response is malformed'))
    else if (expected === ACTION.announce) resolve(message.subarray(8))
    else if (message.length < 16) reject(new Error('the response is malformed'))
    else {
      expected = ACTION.announce
      transaction = randomBytes(4)
      socket.send(encode(message.subarray(8, 16), transaction, announcement))
    }
  })
}

function encode (connection: Uint8Array, transaction: Uint8Array, announcement: UdpAnnouncement): Uint8Array {
  const { infoHash, peerId, downloaded, left, uploaded, event, numwant, listening } = announcement
  const port = Buffer.alloc(2)
  port.writeUInt16BE(listening)
  return Buffer.concat([
    connection, u32(ACTION.announce), transaction, infoHash, peerId,
    u64(downloaded), left === undefined ? Buffer.alloc(8, 0xff) : u64(left), u64(uploaded),
    u32(event), u32(0), u32(0), u32(numwant), port
  ])
}

function u32 (value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

function u64 (value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(Number.isSafeInteger(value) && value > 0 ? value : 0))
  return bytes
}
