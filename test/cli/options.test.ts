import test from 'tape'
import {
  formatHostPort,
  parseAnnounce,
  parseBind,
  parseCount,
  parseFileParts,
  parseHostPort,
  parsePieceLength,
  parsePort,
  parseRate,
  parseSize
} from '../../lib/cli/flags/values.ts'

const GOOD: Array<[parse: (text: string) => unknown, text: string, value: unknown]> = [
  [parseSize, '0', 0],
  [parseSize, '65536', 65536],
  [parseSize, '512B', 512],
  [parseSize, '256K', 256 * 1024],
  [parseSize, '256k', 256 * 1024],
  [parseSize, '64KiB', 64 * 1024],
  [parseSize, '64KB', 64 * 1024],
  [parseSize, '1M', 1024 ** 2],
  [parseSize, '2GiB', 2 * 1024 ** 3],
  [parseRate, '500K', 500 * 1024],
  [parseRate, '1M/s', 1024 ** 2],
  [parsePieceLength, '1', 1],
  [parseCount, '1', 1],
  [parseCount, '0042', 42],
  [parsePort, '0', 0],
  [parsePort, '65535', 65535],
  [parseHostPort, '127.0.0.1:6881', { host: '127.0.0.1', port: 6881 }],
  [parseHostPort, 'peer.example:1', { host: 'peer.example', port: 1 }],
  [parseHostPort, '[::1]:6881', { host: '::1', port: 6881 }],
  [parseFileParts, 'a/b.txt:16', { path: 'a/b.txt', parts: 16 }],
  [parseFileParts, 'a:b:2', { path: 'a:b', parts: 2 }],
  [parseBind, 'video.mp4', { path: 'video.mp4' }],
  [parseBind, '/data/video.mp4:input', { path: '/data/video.mp4', name: 'input' }],
  [parseBind, '/a:b/video.mp4', { path: '/a:b/video.mp4' }],
  [parseAnnounce, 'udp://127.0.0.1:8000/announce', 'udp://127.0.0.1:8000/announce'],
  [parseAnnounce, 'wss://tracker.example', 'wss://tracker.example']
]

const BAD: Array<[parse: (text: string) => unknown, ...texts: string[]]> = [
  [parseSize, '', '-1', '1.5M', 'M', '1 M', '1X', '0x10', '9007199254740992', '9000000T'],
  [parseRate, 'fast', '/s', '-1', '0', '0K'],
  [parsePieceLength, '0', '0K'],
  [parseCount, '', '0', '-1', '1.5', '1e3', '9007199254740992', 'x'],
  [parsePort, '', '-1', '65536', '80a'],
  [parseHostPort, '', '127.0.0.1', '127.0.0.1:', ':6881', '::1:6881', '[]:1', '127.0.0.1:0', '127.0.0.1:65536'],
  [parseFileParts, '', 'a', 'a:', ':3', 'a:0', 'a:x'],
  [parseBind, '', 'a:', 'a:.', 'a:..'],
  [parseAnnounce, '', 'tracker.example', 'ftp://tracker.example', 'http://', 'javascript:1', 'http://[x']
]

test('values of flags', t => {
  for (const [parse, text, value] of GOOD) t.deepEqual(parse(text), value, `${parse.name} '${text}'`)
  t.end()
})

test('values that are refused', t => {
  for (const [parse, ...texts] of BAD) {
    for (const text of texts) {
      t.throws(() => parse(text), /^InvalidArgumentError|CommanderError/, `${parse.name} '${text}'`)
    }
  }
  t.end()
})

test('a host and port is written as it was read', t => {
  for (const text of ['127.0.0.1:1', '[2001:db8::7]:6881']) t.equal(formatHostPort(parseHostPort(text)), text)
  t.end()
})
