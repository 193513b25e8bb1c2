import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import test from 'tape'
import { encodeUnsorted, fixtures } from '../../fixtures/make.ts'
import { concatBytes, encode } from '../../lib/base/bencode.ts'
import { isTask, parseTask } from '../../lib/task/task.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const ORDINARY = { length: 8, name: 'x', 'piece length': 4, pieces: 'x'.repeat(40) }
const LEGACY = { length: 8, name: 'x', 'piece length': 4 }

test('task files are recognised, also from a Buffer', t => {
  for (const [name, file] of Object.entries(fixtures)) {
    t.ok(isTask(file), name)
    t.ok(isTask(Buffer.from(file)), `${name} as a Buffer`)
  }
  t.end()
})

test('broken task files are recognised, so that parseTask can report the error', t => {
  const broken: Array<[string, Uint8Array]> = [
    ['unsorted info', bytes('d4:infod4:name1:x9:bitworkerd7:command1:xeee')],
    ['no name', encode({ info: { bitworker: { command: 'x' } } })],
    ['truncated', fixtures['tables.bitworker']!.subarray(0, -20)],
    ['too large', encode({ info: { bitworker: {}, zzz: new Uint8Array(5_000_000) } })],
    ['100 MB', concatBytes([fixtures['tables.bitworker']!, new Uint8Array(100_000_000)])],
    ['deeply nested', bytes('d4:infod9:bitworker' + 'l'.repeat(1_000_000))],
    ['trailing bytes', bytes('d7:command1:x4:infodeexxx')]
  ]
  for (const [name, input] of broken) {
    t.ok(isTask(input), name)
    t.throws(() => parseTask(input), /^BitWorkerError/, `${name}: refused`)
  }
  t.end()
})

test('everything else is not a task', t => {
  const others: Array<[string, unknown]> = [
    ['nothing', bytes('')],
    ['a list', bytes('l4:infod9:bitworkerdeee')],
    ['no info', bytes('d7:command1:xe')],
    ['info is a list', bytes('d4:infol9:bitworkere7:command1:xe')],
    ['neither a command nor pieces', encode({ info: LEGACY })],
    ['an ordinary torrent', encode({ info: ORDINARY })],
    ['an ordinary torrent with a top-level command', encode({ command: 'x', info: ORDINARY })],
    ['an ordinary torrent with bitworker', encode({ info: { ...ORDINARY, bitworker: { command: 'x', version: 1 } } })],
    [
      'an ordinary torrent of BitTorrent 2',
      encode({ command: 'x', info: { 'file tree': {}, 'meta version': 2, name: 'x' } })
    ],
    [
      'an ordinary torrent, unsorted',
      encodeUnsorted([
        ['info', ORDINARY], ['announce', 'x'], ['command', 'x']
      ])
    ],
    ['an ordinary torrent of lenient numbers', bytes('d7:command1:x4:infod6:lengthi007e4:name1:x06:pieces0:ee')],
    [
      'a legacy file cut within info',
      encodeUnsorted([
        ['command', 'x'], ['info', LEGACY]
      ]).subarray(0, -4)
    ],
    ['a text', 'd4:infod9:bitworkerdeee'],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['a parsed torrent', { info: { bitworker: {} } }],
    ['null', null],
    ['undefined', undefined]
  ]
  for (const [name, input] of others) t.equal(isTask(input as Uint8Array), false, name)
  t.end()
})

test('the torrents of webtorrent-fixtures are not tasks', t => {
  const folder = new URL('../../node_modules/webtorrent-fixtures/fixtures/', import.meta.url)
  const torrents = readdirSync(folder).filter(name => name.endsWith('.torrent'))
  t.ok(torrents.length > 5)
  for (const name of torrents) t.equal(isTask(readFileSync(new URL(name, folder))), false, name)
  t.end()
})

const file = (i: number): Uint8Array => encode({ length: 1, path: [`${i}`] })

/** The same bytes, which count how often one of them is looked at. */
function counting (input: Uint8Array, count: { reads: number }): Uint8Array {
  return new Proxy(input, {
    get (target, key) {
      if (key === 'subarray') {
        return (from: number, to: number) => {
          const part = target.subarray(from, to)
          return part.length < 100 ? (count.reads += part.length, part) : counting(part, count)
        }
      }
      if (key === 'indexOf') {
        return (byte: number, from: number) => {
          const found = target.indexOf(byte, from)
          count.reads += (found === -1 ? target.length : found) - from + 1
          return found
        }
      }
      if (typeof key === 'string' && /^\d+$/.test(key)) count.reads++
      return Reflect.get(target, key, target) as unknown
    }
  })
}

test('the work is bounded, whatever the bytes are', t => {
  const many = 100_000
  const listed = concatBytes([bytes('d4:infod5:filesl'), ...Array.from({ length: many / 10 }, (_, i) => file(i))])
  const large: Array<[string, Uint8Array]> = [
    ['10 000 files', concatBytes([listed, bytes('e4:name1:x12:piece lengthi1e6:pieces2:xxee')])],
    ['100 MB of pieces', encode({ info: { ...ORDINARY, pieces: new Uint8Array(100_000_000) } })],
    ['empty lists', bytes('d4:infod1:al' + 'le'.repeat(many))],
    ['numbers', bytes('d4:infod1:al' + 'i1e'.repeat(many))],
    ['empty strings', bytes('d4:infod1:al' + '0:'.repeat(many))],
    ['keys', bytes('d4:infod' + '0:0:'.repeat(many))],
    ['digits', bytes('d4:info' + '9'.repeat(many))],
    ['nesting', bytes('d4:infod1:a' + 'l'.repeat(many))],
    ['a string longer than the file', bytes('d4:infod9999999999:')]
  ]
  for (const [name, input] of large) {
    const count = { reads: 0 }
    t.equal(isTask(counting(input, count)), false, name)
    t.ok(count.reads <= 4 * Math.min(input.length, 4 << 20), `looks at ${count.reads} of ${input.length} bytes`)
  }
  t.end()
})

test('property: isTask recognises everything that parseTask accepts, and never throws', t => {
  const originals = Object.values(fixtures)
  const damaged = fc.tuple(fc.constantFrom(...originals), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
    .map(([original, edits]) => {
      const input = original.slice()
      for (const [at, byte] of edits) input[at % input.length] = byte
      return input
    })
  fc.assert(fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), input => {
    const recognised = isTask(input)
    try {
      parseTask(input)
    } catch {
      return true
    }
    return recognised
  }), { seed, numRuns: 10_000 })
  t.pass('10 000 inputs')
  t.end()
})
