/**
 * Converts the values of flags, as typed, to numbers and records. Pure: no file, network or clock. The code that uses a
 * value checks whether it works on this machine (whether a folder exists, or a port is free).
 */
import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'
import type { Bind } from '../../executor/binds.ts'
import { rangeList } from '../../inputs/ranges.ts'
import type { ValueList } from '../../inputs/ranges.ts'

/** A host and a port, as in `--peer`. */
export interface HostPort { host: string, port: number }

/** A file of a task and the number of its parts, as in `--file`. */
export interface FileParts { path: string, parts: number }

const SIZE = /^(\d+)(?:([KMGT])(?:i?B)?|B)?$/i
const POWERS = ['K', 'M', 'G', 'T']

/** Other names for the processors of `uname -m`. */
const MACHINES: Record<string, string> = { amd64: 'x86_64', x64: 'x86_64', arm64: 'aarch64' }

/** The name of a processor in the output of `uname -m` on Linux. */
export function parseArch (text: string): string {
  const name = text.toLowerCase()
  return MACHINES[name] ?? name
}

/** A range of pieces, both ends included. */
export interface PieceRange { from: number, to: number }

/** `0-99,120`. Throws commander's InvalidArgumentError. */
export function parseRanges (text: string): PieceRange[] {
  return text.split(',').map(part => {
    const [, from = '', to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    if (from === '' || Number(to) < Number(from)) {
      throw new InvalidArgumentError('It must be numbers of pieces, such as 0-99,120.')
    }
    return { from: Number(from), to: Number(to) }
  })
}

/** Bytes from `1048576`, `1024K`, `1M`, `1MiB` (powers of 1024). Throws commander's InvalidArgumentError. */
export function parseSize (text: string): number {
  const match = SIZE.exec(text)
  if (match === null) throw new InvalidArgumentError('It must be a number of bytes, such as 65536, 64K or 1M.')
  const power = match[2] === undefined ? 0 : POWERS.indexOf(match[2].toUpperCase()) + 1
  const bytes = Number(match[1]) * 1024 ** power
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('It is too large.')
  return bytes
}

/** A size of at least one byte. */
export function parsePieceLength (text: string): number {
  const bytes = parseSize(text)
  if (bytes === 0) throw new InvalidArgumentError('It must be at least 1.')
  return bytes
}

/** A limit in bytes: at least 1 MiB, below which not even bash runs. */
export function parseLimit (text: string): number {
  const bytes = parseSize(text)
  if (bytes < 1024 ** 2) throw new InvalidArgumentError('It must be at least 1M.')
  return bytes
}

/** Bytes per second, written like a size, with or without `/s`. */
export function parseRate (text: string): number {
  const bytes = parseSize(text.replace(/\/s$/, ''))
  if (bytes === 0) throw new InvalidArgumentError('It must be at least 1 byte per second.')
  return bytes
}

/** A whole number of seconds, at least one, as milliseconds. */
export function parseSeconds (text: string): number {
  return parseCount(text) * 1000
}

/** A number of at least 0, such as `90` or `1.5`. */
export function parseAmount (text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!Number.isFinite(value)) throw new InvalidArgumentError('It must be a number of at least 0, such as 90 or 1.5.')
  return value
}

/** A whole number of at least 1. */
export function parseCount (text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It must be a whole number of at least 1.')
  }
  return value
}

/** When a run ends early, as in `--halt`. */
export interface Halt {
  /** now: running commands are killed; soon: they run to their end, and no others are started */
  when: 'now' | 'soon'
  /** number of pieces that are given up here, or their share of all pieces in percent */
  fail: number
  isPercent: boolean
}

/** `now,fail=3` or `soon,fail=10%`, as in GNU parallel; `never` is the default. */
export function parseHalt (text: string): Halt | undefined {
  if (text === 'never') return undefined
  const [, when, fail = '', percent = ''] = /^(now|soon),fail=(\d+)(%?)$/.exec(text) ?? []
  const most = percent === '%' ? 100 : Number.MAX_SAFE_INTEGER
  if ((when !== 'now' && when !== 'soon') || Number(fail) < 1 || Number(fail) > most) {
    throw new InvalidArgumentError('It must be never, or now or soon with a number of failures or their share, such as now,fail=3 or soon,fail=10%.')
  }
  return { when, fail: Number(fail), isPercent: percent === '%' }
}

/** A whole number, at least 0. */
export function parseIndex (text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number, counted from 0.')
  return value
}

/** A day such as `2027-01-31`: its beginning in UTC. */
export function parseDate (text: string): Date {
  const date = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? text : NaN)
  if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(text)) {
    throw new InvalidArgumentError('It must be a date, such as 2027-01-31.')
  }
  return date
}

/** A port; 0 means any free one. */
export function parsePort (text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(value <= 65535)) throw new InvalidArgumentError('It must be a port from 0 to 65535.')
  return value
}

/** Splits at the last colon that is not part of an address or a path; null if there is none. */
function splitLast (text: string): [string, string] | null {
  const colon = text.lastIndexOf(':')
  return colon < 1 ? null : [text.slice(0, colon), text.slice(colon + 1)]
}

/** Where a page is served: `PORT`, `ADDRESS` or `ADDRESS:PORT`; port 0: any free one. */
export function parsePageAddress (text: string): HostPort {
  if (/^\d+$/.test(text)) return { host: '127.0.0.1', port: parsePort(text) }
  const [, six, four, port = '0'] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = six ?? (four === 'localhost' ? '127.0.0.1' : four)
  if (host === undefined || isIP(host) === 0) {
    throw new InvalidArgumentError('It must be an address of this machine with a port, such as 127.0.0.1:8080 or [::1]:8080.')
  }
  return { host, port: parsePort(port) }
}

/** `HOST:PORT`, `[::1]:PORT`. */
export function parseHostPort (text: string): HostPort {
  const [host, port] = splitLast(text) ?? []
  const bare = host?.replace(/^\[(.*)\]$/, '$1')
  if (host === undefined || port === undefined || bare === '' || (host === bare && host.includes(':'))) {
    throw new InvalidArgumentError('It must be HOST:PORT, such as 192.0.2.7:6881 or [2001:db8::7]:6881.')
  }
  const number = parsePort(port)
  if (number === 0) throw new InvalidArgumentError('The port of a peer cannot be 0.')
  return { host: bare ?? host, port: number }
}

/** `HOST:PORT` again, with brackets around an IPv6 address. */
export function formatHostPort ({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `PATH:PARTS`. */
export function parseFileParts (text: string): FileParts {
  const [path, parts] = splitLast(text) ?? []
  if (path === undefined || parts === undefined) {
    throw new InvalidArgumentError('It must be PATH:PARTS, such as frames/left.txt:16.')
  }
  return { path, parts: parseCount(parts) }
}

/** `PATH` or `PATH:NAME`; a colon followed by a slash belongs to the path. */
export function parseBind (text: string): Bind {
  const [path, name] = splitLast(text) ?? []
  if (text === '') throw new InvalidArgumentError('It must be PATH or PATH:NAME.')
  if (path === undefined || name === undefined || name.includes('/')) return { path: text }
  if (name === '' || name === '.' || name === '..') throw new InvalidArgumentError('NAME must be a plain file name.')
  return { path, name }
}

/**
 * As `parseBind`, and what begins with `task:` as it is: see commands/create-stages.ts. So is a magnet link, which has
 * colons.
 */
export function parseInput (text: string): Bind {
  return /^(?:task:|(?:stream-)?magnet:)/i.test(text) ? { path: text } : parseBind(text)
}

/** `FROM-TO` or `FROM-TO:STEP`: a list of numbers. */
export function parseRange (text: string): ValueList {
  const list = rangeList(text)
  if (list === null) throw new InvalidArgumentError('It must be FROM-TO or FROM-TO:STEP, such as 1-250 or 0-90:10.')
  return list
}

/** `http://`, `https://`, `udp://`, `ws://` or `wss://` of a tracker. */
export function parseAnnounce (text: string): string {
  if (!/^(?:https?|udp|wss?):\/\/[^\s/]+/i.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('It must be the URL of a tracker: http, https, udp, ws or wss.')
  }
  return text
}

/** For flags that may be repeated: appends a value. */
export function collect<T> (parse: (text: string) => T): (text: string, before: T[]) => T[] {
  return (text, before) => [...before, parse(text)]
}
