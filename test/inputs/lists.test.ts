// Lists of parameters: how they are read, combined and cut.
import test from 'tape'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { combine, csvList, jsonList, linesList, linked, sliceLines, sliceRows } from '../../lib/inputs/lists.ts'
import type { SlicedList } from '../../lib/inputs/lists.ts'
import { rangeList } from '../../lib/inputs/ranges.ts'
import { embeddedSlice } from '../../lib/inputs/slices.ts'

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value))
const list = (...values: string[]): { rows: string[][] } => ({ rows: values.map(value => [value]) })

function slicesOf ({ data, offsets, pieceCount, columns, chunk }: SlicedList): string[] {
  const split = { by: 'table', offsets, chunk, columns } as const
  return Array.from({ length: pieceCount }, (_, piece) =>
    Buffer.from(embeddedSlice({ name: 'x', length: data.length, data, split }, piece)).toString())
}

function problem (run: () => unknown): string {
  try {
    run()
    return 'nothing thrown'
  } catch (error) {
    if (error instanceof BitWorkerError && error.code === 'BW_ERR_INPUT_SOURCE') return error.message
    throw error
  }
}

test('lines', t => {
  t.deepEqual(slicesOf(sliceLines(text('a\n\nb c\td\n'), 1, 'l')), ['a\n', '\n', 'b c\td\n'], 'an empty one, too')
  t.deepEqual(slicesOf(sliceLines(text('a\nb'), 1, 'l')), ['a\n', 'b\n'], 'the last without a line feed')
  t.deepEqual(slicesOf(sliceLines(text('a\nb\nc\nd\ne\n'), 2, 'l')), ['a\nb\n', 'c\nd\n', 'e\n'], 'two for a piece')
  t.match(problem(() => sliceLines(text(''), 1, 'l')), /has no entry/)
  t.match(problem(() => sliceLines(text('a\0'), 1, 'l')), /contains a NUL/)
  t.match(problem(() => sliceLines(new Uint8Array([0xe9, 0x0a]), 1, 'l')), /is not UTF-8/)
  t.match(problem(() => sliceLines(text(`a\n${'x'.repeat(102_401)}\n`), 1, 'l')), /more than 102400 bytes \(entry 2\)/)
  t.equal(sliceLines(text(`${'x'.repeat(102_400)}\n`), 1, 'l').pieceCount, 1)
  t.end()
})

test('texts from Windows', t => {
  t.deepEqual(slicesOf(sliceLines(text('\ufeffa\r\n\r\nb\rc\r\nd'), 1, 'l')), ['a\n', '\n', 'b\rc\n', 'd\n'])
  t.deepEqual(linesList(text('\ufeffa\r\nb\r\n'), 'l'), list('a', 'b'))
  t.deepEqual(jsonList(text('\ufeff[1]\r\n'), 'l'), list('1'))
  t.match(problem(() => linesList(new Uint8Array(Buffer.from('\ufeffa\n', 'utf16le')), 'l')), /is not UTF-8, but UTF-16; save it as UTF-8/)
  t.deepEqual(csvList(text('a;b\r\n1,5;"x;y"\r\n'), 'l'), { columns: ['a', 'b'], rows: [['1,5', 'x;y']] }, 'from a spreadsheet')
  t.deepEqual(csvList(text('a\tb\n1\t2\n'), 'l'), { columns: ['a', 'b'], rows: [['1', '2']] })
  t.end()
})

test('lists side by side', t => {
  const pairs = linked([list('a', 'b'), list('1', '2')])
  t.deepEqual(pairs, { rows: [['a', '1'], ['b', '2']] })
  t.deepEqual(combine([pairs]), { columns: ['ENTRY1', 'ENTRY2'], ...pairs })
  t.deepEqual(combine([list('x', 'y'), pairs]).rows, [['x', 'a', '1'], ['x', 'b', '2'], ['y', 'a', '1'], ['y', 'b', '2']])
  t.match(problem(() => linked([list('a', 'b'), list('1')])), /A list of 1 entries cannot be linked to one of 2/)
  t.end()
})

test('JSON on lines', t => {
  t.deepEqual(jsonList(text('{"a": 1}\n\n{"a": "x"}\n'), 'l'), { columns: ['a'], rows: [['1'], ['x']] })
  t.match(problem(() => jsonList(text('[1,\n2\n'), 'l')), /is not JSON/)
  t.match(problem(() => jsonList(text('{"a": 1}'), 'l')), /is not a JSON array/)
  t.end()
})

const values = (range: string): string | undefined => rangeList(range)?.rows.join(' ')

test('ranges', t => {
  t.equal(values('1-5'), '1 2 3 4 5')
  t.equal(values('1-10:4'), '1 5 9')
  t.equal(values('5-1:2'), '5 3 1')
  t.equal(values('-2-1'), '-2 -1 0 1')
  t.equal(values('3-3'), '3')
  t.equal(values('08-10'), '08 09 10', 'as many digits as are written, as in a shell')
  t.equal(values('001-10:4'), '001 005 009')
  t.equal(values('-01-1'), '-01 00 01')
  t.equal(values('0-0.3:0.1'), '0.0 0.1 0.2 0.3', 'no 0.30000000000000004')
  t.equal(values('1.5-2'), '1.5')
  t.equal(values('0.25--0.25:0.25'), '0.25 0.00 -0.25')
  for (const wrong of ['', '1', '1-', 'a-b', '1-5:0', '1..5', '1-5:', '1-2:.5', '1-1e3', '999999999999999.5-999999999999999.6']) t.equal(rangeList(wrong), null, wrong)
  t.match(problem(() => rangeList('1-999999999')), /999999999 entries; at most/)
  t.end()
})

test('CSV', t => {
  t.deepEqual(csvList(text('\ufefflr,note\r\n0.1,"a ""b"", c"\r\n0.2,"two\nlines"\r\n'), 'p.csv'), {
    columns: ['lr', 'note'], rows: [['0.1', 'a "b", c'], ['0.2', 'two\nlines']]
  })
  const sliced = sliceRows(csvList(text('lr,note\n0.1,"two\nlines\t\\"\n'), 'p.csv'), 1, 'p.csv')
  t.deepEqual([slicesOf(sliced), sliced.columns], [['0.1\ttwo\\nlines\\t\\\\\n'], ['lr', 'note']])
  t.match(problem(() => csvList(text('a,b\n1\n'), 'p.csv')), /is not a CSV table: .*line 2/, 'a value too few')
  t.match(problem(() => csvList(text('a,"b\n1,2\n'), 'p.csv')), /is not a CSV table/)
  t.match(problem(() => csvList(text('a b,c\n1,2\n'), 'p.csv')), /letters, digits and underscores/)
  t.match(problem(() => csvList(text('PATH\n1\n'), 'p.csv')), /has the name PATH/)
  t.match(problem(() => csvList(text(''), 'p.csv')), /is empty; its first line has the names/)
  t.match(problem(() => csvList(text('a\n'), 'p.csv')), /"p\.csv" has no entry below the names/)
  t.match(problem(() => csvList(Uint8Array.of(0x61, 0x0a, 0xff), 'p.csv')), /"p\.csv" is not UTF-8; save it as UTF-8\.$/)
  t.end()
})

test('JSON', t => {
  t.deepEqual(jsonList(text('["a b", 1, {"x": [2]}, null]'), 'j').rows, [['"a b"'], ['1'], ['{"x":[2]}'], ['null']])
  t.deepEqual(jsonList(text('[{"lr": 0.1, "opt": "a b"}, {"opt": null, "lr": [1]}]'), 'j'), {
    columns: ['lr', 'opt'], rows: [['0.1', 'a b'], ['[1]', 'null']]
  })
  t.equal(jsonList(text('[{"a": 1}, {"a": 1, "b": 2}]'), 'j').columns, undefined, 'other keys')
  t.match(problem(() => jsonList(text('{"a": 1}'), 'j')), /is not a JSON array/)
  t.match(problem(() => jsonList(text('[1,'), 'j')), /is not JSON/)
  t.match(problem(() => sliceRows(jsonList(text('[]'), 'j'), 1, 'j')), /has no entry/)
  t.end()
})

test('several lists: the last varies fastest, as with GNU parallel', t => {
  t.deepEqual(combine([list('1', '2'), list('a', 'b', 'c')]), {
    columns: ['ENTRY1', 'ENTRY2'],
    rows: [['1', 'a'], ['1', 'b'], ['1', 'c'], ['2', 'a'], ['2', 'b'], ['2', 'c']]
  })
  t.deepEqual(combine([{ columns: ['lr', 'opt'], rows: [['1', 'x'], ['2', 'y']] }, list('a'), list('7', '8')]), {
    columns: ['lr', 'opt', 'ENTRY1', 'ENTRY2'],
    rows: [['1', 'x', 'a', '7'], ['1', 'x', 'a', '8'], ['2', 'y', 'a', '7'], ['2', 'y', 'a', '8']]
  })
  t.deepEqual(combine([list('1')]), list('1'), 'a single one')
  const twice = { columns: ['a'], rows: [['1']] }
  t.match(problem(() => combine([twice, twice])), /has the name "a" twice/)
  const many = { rows: Array.from({ length: 3000 }, () => ['1']) }
  t.match(problem(() => combine([many, many])), /9000000 entries; at most/)
  t.match(problem(() => sliceRows(list('a\nb'), 1, ':::')), /several lines/)
  t.end()
})
