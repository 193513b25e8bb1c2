// What a piece sees of a split input: bytes, torrent pieces, variables.
import fc from 'fast-check'
import test from 'tape'
import { BitWorkerError } from '../../lib/base/errors.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import {
  embeddedSlice, escapeValue, groupOf, hasVariables, rangeFromTable, rangeOf, sliceEnv, slicePath, tableRange,
  torrentPiecesOf
} from '../../lib/inputs/slices.ts'
import type { EmbeddedInput, InputSplit, TorrentInput } from '../../lib/task/types.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value))

function torrent (split: InputSplit): TorrentInput {
  return { name: 'in', length: 100, infoHash: 'ab'.repeat(20), sha256: new Uint8Array(32), split }
}

function layoutOf (pieceLength: number, ...files: Array<[path: string, length: number]>): InputLayout {
  let offset = 0
  const laid = files.map(([path, length]) => {
    offset += length
    return { path, length, offset: offset - length, executable: false }
  })
  return { pieceLength, torrentLength: offset, length: offset, isFolder: files.length > 1, files: laid, links: [] }
}

const list = (columns: readonly string[] = [], chunk = 1): TorrentInput => torrent({ by: 'table', chunk, columns })

function tableOf (...offsets: bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(offsets.length * 8))
  for (const [i, offset] of offsets.entries()) view.setBigUint64(i * 8, offset)
  return new Uint8Array(view.buffer)
}

function message (run: () => unknown): string {
  try {
    run()
    return 'nothing thrown'
  } catch (error) {
    if (error instanceof BitWorkerError && error.code === 'BW_ERR_INPUT') return error.message
    throw error
  }
}

test('files: file i', t => {
  const input = torrent({ by: 'files' })
  const layout = layoutOf(16, ['a/1.png', 20], ['empty', 0], ['b', 12])
  t.deepEqual([0, 1, 2].map(piece => rangeOf(input, layout, piece)), [
    { file: 0, start: 0, end: 20 }, { file: 1, start: 0, end: 0 }, { file: 2, start: 0, end: 12 }
  ])
  t.deepEqual([0, 1, 2].map(piece => torrentPiecesOf(layout, rangeOf(input, layout, piece)!)), [
    { first: 0, last: 1 }, null, { first: 1, last: 1 }
  ])
  t.deepEqual([0, 1, 2].map(piece => slicePath(input, layout, piece)), ['in/a/1.png', 'in/empty', 'in/b'])
  t.deepEqual([0, 1, 2].map(piece => groupOf(input, layout, piece, 3)), [0, 1, 1])
  t.deepEqual(sliceEnv(input, text('x')), {}, 'no variables of an entry')
  t.notOk(hasVariables(input))
  t.end()
})

test('bytes: a slice after the other', t => {
  const input = torrent({ by: 'bytes', size: 30 })
  const layout = layoutOf(16, ['', 100])
  t.deepEqual([0, 1, 2, 3].map(piece => rangeOf(input, layout, piece)), [
    { file: 0, start: 0, end: 30 }, { file: 0, start: 30, end: 60 }, { file: 0, start: 60, end: 90 },
    { file: 0, start: 90, end: 100 }
  ])
  t.deepEqual([0, 1, 2, 3].map(piece => torrentPiecesOf(layout, rangeOf(input, layout, piece)!)), [
    { first: 0, last: 1 }, { first: 1, last: 3 }, { first: 3, last: 5 }, { first: 5, last: 6 }
  ])
  t.equal(slicePath(input, layout, 3), 'in')
  t.deepEqual([0, 1, 2, 3].map(piece => groupOf(input, layout, piece, 4)), [0, 1, 3, 5])
  t.end()
})

test('lists: the table has the offsets', t => {
  const layout = layoutOf(64, ['data', 100], ['slices', 40])
  t.deepEqual([0, 3].map(piece => tableRange(layout, piece)), [
    { file: 1, start: 0, end: 16 }, { file: 1, start: 24, end: 40 }
  ])
  t.deepEqual(torrentPiecesOf(layout, tableRange(layout, 2)), { first: 1, last: 2 })
  t.equal(rangeOf(list(), layout, 0), null)
  t.deepEqual(rangeFromTable(list(), layout, tableOf(10n, 70n)), { file: 0, start: 10, end: 70 })
  t.deepEqual(rangeFromTable(list(), layout, tableOf(100n, 100n)), { file: 0, start: 100, end: 100 })
  t.deepEqual([0, 1, 2, 3].map(piece => groupOf(list(), layout, piece, 4)), [0, 0, 0, 1])
  t.equal(slicePath(list(), layout, 2), 'in')
  t.end()
})

test('a table that lies', t => {
  const layout = layoutOf(64, ['data', 100], ['slices', 40])
  const last = 2n ** 64n - 1n
  for (const [start, end] of [[70n, 10n], [0n, 101n], [101n, 101n], [0n, 2n ** 63n], [last, last]] as const) {
    t.match(message(() => rangeFromTable(list(), layout, tableOf(start, end))), /backwards or beyond/, `${start} ${end}`)
  }
  const long = layoutOf(64, ['data', 2 ** 40], ['slices', 40])
  t.ok(rangeFromTable(list(), long, tableOf(0n, 102_401n)), 'the longest entry, and a line feed')
  t.match(message(() => rangeFromTable(list(), long, tableOf(0n, 102_402n))), /more than 102400 bytes/, 'is not fetched')
  t.end()
})

test('slices of embedded inputs', t => {
  const data = text('aabcccc')
  const input: EmbeddedInput = { name: 'in', length: 7, data }
  const slices = (split: InputSplit, count: number): string[] =>
    Array.from({ length: count }, (_, i) => Buffer.from(embeddedSlice({ ...input, split }, i)).toString())
  t.deepEqual(slices({ by: 'bytes', size: 3 }, 3), ['aab', 'ccc', 'c'])
  t.deepEqual(slices({ by: 'table', offsets: tableOf(0n, 2n, 2n, 3n, 7n), chunk: 1, columns: [] }, 4), ['aa', '', 'b', 'cccc'])
  t.equal(embeddedSlice(input, 0), data, 'a whole one')
  t.end()
})

test('ENTRY and columns', t => {
  t.deepEqual(sliceEnv(list(), text('a b\tc\\n\n')), { ENTRY: 'a b\tc\\n' }, 'one value, as it is')
  t.deepEqual(sliceEnv(list(), text('\n\n')), { ENTRY: '\n' }, 'but for one line feed')
  t.deepEqual(sliceEnv(list(), text('\ufeffa\r\n')), { ENTRY: '\ufeffa\r' })
  t.deepEqual(sliceEnv(list(), text('')), { ENTRY: '' })
  t.deepEqual(
    sliceEnv(list(['lr', 'note', 'seed']), text('0.1\ta\\tb\\n\\\\n\\r\t\n')),
    { ENTRY: '0.1\ta\\tb\\n\\\\n\\r\t', lr: '0.1', note: 'a\tb\n\\n\r', seed: '' }
  )
  t.deepEqual(sliceEnv(list([], 2), text('a\nb\n')), {}, 'several entries are a file')
  t.deepEqual([hasVariables(list()), hasVariables(list([], 2))], [true, false])
  t.end()
})

test('entries that no variable can hold', t => {
  for (const [what, entry, columns, why] of [
    ['a NUL', 'a\0b', [], /a NUL/],
    ['too long', 'x'.repeat(102_401), [], /more than 102400 bytes/],
    ['a value too few', 'a', ['a', 'b'], /1 values for 2 columns/],
    ['a value too many', 'a\tb', ['a'], /2 values for 1 columns/],
    ['an unknown escape', 'a\\x', ['a'], /malformed/],
    ['half an escape', 'a\\', ['a'], /malformed/],
    ['a line feed', 'a\nb', ['a'], /malformed/],
    ['a carriage return', 'a\r', ['a'], /malformed/]
  ] as const) t.match(message(() => sliceEnv(list(columns), text(entry))), why, what)
  t.match(message(() => sliceEnv(list(), new Uint8Array([0xff]))), /not UTF-8/)
  t.deepEqual(sliceEnv(list(), text('x'.repeat(102_400))), { ENTRY: 'x'.repeat(102_400) }, 'the longest')
  t.end()
})

test('property: values are read as they were written', t => {
  const values = fc.array(fc.string({ unit: 'grapheme' }).map(value => value.replaceAll('\0', '')), { minLength: 1, maxLength: 5 })
  fc.assert(fc.property(values, row => {
    const columns = row.map((_, i) => `c${i}`)
    const { ENTRY, ...found } = sliceEnv(list(columns), text(`${row.map(escapeValue).join('\t')}\n`))
    return ENTRY !== undefined && columns.every((column, i) => found[column] === row[i])
  }), { seed })
  t.pass()
  t.end()
})

test('property: each slice is covered by its torrent pieces, and by no other', t => {
  const layouts = fc.tuple(fc.integer({ min: 1, max: 64 }), fc.array(fc.nat(200), { minLength: 1, maxLength: 8 }))
  fc.assert(fc.property(layouts, ([pieceLength, lengths]) => {
    const layout = layoutOf(pieceLength, ...lengths.map((length, i): [string, number] => [`${i}`, length]))
    return lengths.every((length, piece) => {
      const pieces = torrentPiecesOf(layout, rangeOf(torrent({ by: 'files' }), layout, piece)!)
      const { offset } = layout.files[piece]!
      if (pieces === null) return length === 0
      return pieces.first * pieceLength <= offset && (pieces.first + 1) * pieceLength > offset &&
        pieces.last * pieceLength < offset + length && (pieces.last + 1) * pieceLength >= offset + length
    })
  }), { seed })
  t.pass()
  t.end()
})

test('ten pieces of a list of a million cost less than 1 MiB', t => {
  const count = 1_000_000
  const layout = layoutOf(32_768, ['data', 50 * count], ['slices', 8 * (count + 1)])
  const cost = (pieces: number[]): number => new Set(pieces.flatMap(piece => {
    const start = BigInt(piece * 50)
    const ranges = [tableRange(layout, piece), rangeFromTable(list(), layout, tableOf(start, start + 50n))]
    return ranges.map(range => torrentPiecesOf(layout, range)!).flatMap(({ first, last }) => [first, last])
  })).size * layout.pieceLength
  const group = groupOf(list(), layout, 123_456, count)
  const inGroup = Array.from({ length: 10 }, (_, i) => 123_456 + i)
  t.deepEqual(inGroup.map(piece => groupOf(list(), layout, piece, count)), inGroup.map(() => group), 'ten of a group')
  t.ok(cost(inGroup) <= 131_072, `${cost(inGroup)} bytes in a group`)
  const apart = Array.from({ length: 10 }, (_, i) => i * 99_999)
  t.ok(cost(apart) <= 2 ** 20, `${cost(apart)} bytes apart`)
  t.end()
})
