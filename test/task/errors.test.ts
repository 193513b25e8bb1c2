import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import fc from 'fast-check'
import test from 'tape'
import { encodeUnsorted, fixtures } from '../../fixtures/make.ts'
import { concatBytes, encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { createTask, encodeTask, parseTask } from '../../lib/task/task.ts'
import type { CreateTaskOptions } from '../../lib/task/task.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

type Dict = Record<string, Encodable | undefined>

const COMMAND = { command: 'true', version: 1 }
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
/** A correct task file, but for these keys of its info dictionary (undefined removes one). */
const info = (changes: Dict): Uint8Array =>
  encode({ info: { bitworker: COMMAND, length: 8, name: 'x', 'piece length': 4, ...changes } })
const bitworker = (changes: Dict): Uint8Array => info({ bitworker: { ...COMMAND, ...changes } })
const files = (...list: Encodable[]): Uint8Array => info({ length: undefined, files: list })
const paths = (...list: Encodable[]): Uint8Array => files(...list.map(path => ({ length: 4, path })))
const legacy = (changes: Dict): Uint8Array =>
  encode({ command: 'true', info: { length: 8, name: 'x', 'piece length': 4 }, ...changes })

function thrownBy (run: () => unknown): BitWorkerError | null {
  try {
    run()
  } catch (error) {
    if (error instanceof BitWorkerError) return error
    throw error
  }
  return null
}

test('the files that the tables below change are correct themselves', t => {
  for (const good of [
    info({}), bitworker({}), files({ length: 4, path: ['a'] }), paths(['a'], ['b', 'c']), legacy({})
  ]) {
    t.equal(
      thrownBy(() => parseTask(good)), null
    )
  }
  t.end()
})

const badFiles: Array<[name: string, code: string, input: Uint8Array]> = [
  ['nothing', 'NOT_BENCODE', bytes('')],
  ['a text', 'NOT_BENCODE', bytes('#!/bin/sh\necho hello\n')],
  ['a list', 'NOT_BENCODE', bytes('le')],
  ['a truncated file', 'NOT_BENCODE', info({}).subarray(0, -10)],
  ['bytes after the end', 'NOT_BENCODE', concatBytes([info({}), bytes('\n')])],
  ['deep nesting', 'NOT_BENCODE', bytes('d1:a' + 'l'.repeat(100_000))],
  ['a number beyond 2^53', 'NOT_BENCODE', bytes('d4:infod6:lengthi9007199254740992eee')],
  ['a fraction', 'NOT_BENCODE', bytes('d4:infod6:lengthi1.5eee')],
  ['info with unsorted keys', 'NOT_BENCODE', bytes('d7:command1:x4:infod4:name1:x6:lengthi4e12:piece lengthi4eee')],
  ['info with a key twice', 'NOT_BENCODE', bytes('d4:infod4:name1:x4:name1:yee')],
  ['a root key twice', 'NOT_BENCODE', bytes('d7:command1:x7:command1:y4:infod6:lengthi4e4:name1:x12:piece lengthi4eee')],
  ['new-style, unsorted root keys', 'NOT_BENCODE', encodeUnsorted([['info', { bitworker: COMMAND, length: 8, name: 'x', 'piece length': 4 }], ['comment', 'x']])],
  ['100 MB', 'TOO_LARGE', new Uint8Array(100_000_000)],
  ['a large info dictionary', 'TOO_LARGE', info({ zzz: 'x'.repeat(3 * 2 ** 20) })],

  ['no info', 'NO_INFO', bytes('d7:command4:truee')],
  ['info is a list', 'NO_INFO', bytes('d4:infolee')],
  ['an ordinary torrent', 'ORDINARY', info({ bitworker: undefined, pieces: 'x'.repeat(20) })],
  ['an ordinary torrent of BitTorrent 2', 'ORDINARY', info({ bitworker: undefined, 'file tree': {} })],
  ['a task that says it is of BitTorrent 2', 'ORDINARY', info({ 'meta version': 2 })],
  ['a task with a Merkle root (BEP 30)', 'ORDINARY', info({ 'root hash': 'x'.repeat(20) })],
  ['both a task and an ordinary torrent', 'ORDINARY', info({ pieces: 'x'.repeat(20) })],
  ['a legacy task with piece hashes', 'ORDINARY', legacy({ info: { length: 8, name: 'x', 'piece length': 4, pieces: '' } })],

  ['neither a command nor pieces', 'NO_COMMAND', info({ bitworker: undefined })],
  ['bitworker is no dictionary', 'NO_COMMAND', info({ bitworker: 1 })],
  ['no command', 'NO_COMMAND', bitworker({ command: undefined })],
  ['an empty command', 'NO_COMMAND', bitworker({ command: '' })],
  ['a blank command', 'NO_COMMAND', bitworker({ command: ' \n\t' })],
  ['legacy: an empty command', 'NO_COMMAND', legacy({ command: '' })],
  ['a command that is a number', 'COMMAND', bitworker({ command: 5 })],
  ['a command that is not UTF-8', 'COMMAND', bitworker({ command: Uint8Array.of(0xff) })],
  ['a command with NUL', 'COMMAND', bitworker({ command: 'echo\0x' })],
  ['a command of 64 KiB + 1', 'COMMAND', bitworker({ command: 'x'.repeat(65_537) })],
  ['a complete command with NUL', 'COMMAND', bitworker({ 'complete command': '\0' })],
  ['legacy: a complete command that is a list', 'COMMAND', legacy({ 'complete command': [] })],

  ['no version', 'VERSION', bitworker({ version: undefined })],
  ['version 0', 'VERSION', bitworker({ version: 0 })],
  ['version -1', 'VERSION', bitworker({ version: -1 })],
  ['a version that is a text', 'VERSION', bitworker({ version: '1' })],
  ...[0, -1, 31_536_001, '60'].map((timeout): [string, string, Uint8Array] => [`timeout ${inspect(timeout)}`, 'TIMEOUT', bitworker({ timeout })]),
  ...[0, -1, 31_536_001, '60', []].map((timeout): [string, string, Uint8Array] =>
    [`complete timeout ${inspect(timeout)}`, 'TIMEOUT', bitworker({ 'complete timeout': timeout })]),
  ...[0, -1, 2 ** 20 - 1, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER, '4G', [], {}].flatMap((size): Array<[string, string, Uint8Array]> => [
    [`memory ${inspect(size)}`, 'LIMITS', bitworker({ memory: size })],
    [`scratch ${inspect(size)}`, 'LIMITS', bitworker({ scratch: size })]
  ]),

  ...[undefined, 0, -4, 2 ** 30 + 1, '4', []].map((pieceLength): [string, string, Uint8Array] =>
    [`piece length ${inspect(pieceLength)}`, 'PIECE_LENGTH', info({ 'piece length': pieceLength })]),
  ...[0, -8, 2 ** 50 + 1, Number.MAX_SAFE_INTEGER, '8', []].flatMap((length): Array<[string, string, Uint8Array]> => [
    [`length ${inspect(length)}`, 'LENGTH', info({ length })],
    [`a file's length ${inspect(length)}`, 'LENGTH', files({ length, path: ['a'] })]
  ]),
  ['a file without a length', 'LENGTH', files({ path: ['a'] })],
  ['2^20 + 1 pieces', 'TOO_MANY_PIECES', info({ length: 2 ** 22 + 1 })],
  ['2^50 pieces', 'TOO_MANY_PIECES', info({ length: 2 ** 50, 'piece length': 1 })],
  ['2^20 + 1 pieces in two files', 'TOO_MANY_PIECES', files({ length: 2 ** 22, path: ['a'] }, { length: 1, path: ['b'] })],

  ['neither files nor length', 'NO_FILES', info({ length: undefined })],
  ['no file', 'NO_FILES', files()],
  ['files and length', 'FILES', info({ files: [{ length: 4, path: ['a'] }] })],
  ['files is a dictionary', 'FILES', info({ length: undefined, files: {} })],
  ['a file that is no dictionary', 'FILES', files('a')],
  ['a file without a path', 'FILES', files({ length: 4 })],
  ['a symbolic link (BEP 47)', 'FILES', files({ length: 4, path: ['a'], 'symlink path': ['b'] })],
  ['a file marked as a symbolic link', 'FILES', files({ attr: 'xl', length: 4, path: ['a'] })],
  ['padding', 'FILES', files({ attr: 'p', length: 4, path: ['.pad', '4'] })],
  ['a single file marked as padding', 'FILES', info({ attr: 'p' })],
  ['attributes that are no text', 'FILES', files({ attr: 1, length: 4, path: ['a'] })],
  ['an empty path', 'FILES', paths([])],
  ['a path that is a text', 'FILES', paths('a')],
  ['10 001 files', 'TOO_MANY_FILES', paths(...Array.from({ length: 10_001 }, (_, i) => [`${i}`]))]
]

const badNames: Array<[name: string, name: string | Uint8Array]> = [
  ['empty', ''],
  ['dots', '...'],
  ['a space', ' '],
  ['a dot at the end', 'a.'],
  ['a space at the end', 'a '],
  ['a stream', 'a:b'],
  ['a wildcard', 'what?'],
  ['a device', 'NUL'],
  ['a device with an extension', 'com1.tar.gz'],
  ['a device with a space', 'aux .txt'],
  ['.', '.'],
  ['..', '..'],
  ['a slash', 'a/b'],
  ['absolute', '/etc/passwd'],
  ['a backslash', 'a\\b'],
  ['NUL', 'a\0b'],
  ['a line break', 'a\nb'],
  ['an escape sequence', '\x1b[2J'],
  ['DEL', 'a\x7f'],
  ['a C1 control', 'a\x9b'],
  ['a line separator', 'a\u2028b'],
  ['a direction override', 'photo\u202egpj.exe'],
  ['a direction isolate', 'a\u2066b'],
  ['a direction mark', 'a\u200f'],
  ['an Arabic letter mark', 'a\u061c'],
  ['256 bytes', 'x'.repeat(256)],
  ['256 bytes in 128 characters', 'ü'.repeat(128)],
  ['not UTF-8', Uint8Array.of(0x61, 0xff)],
  ['a surrogate in UTF-8', Uint8Array.of(0xed, 0xa0, 0x80)]
]

const badPaths: Array<[name: string, input: Uint8Array]> = [
  ['no name', info({ name: undefined })],
  ['a name that is a number', info({ name: 1 })],
  ['a path with a number', paths(['a', 1])],
  ['the file .bitworker', info({ name: '.bitworker' })],
  ['the folder .BitWorker', info({ name: '.BitWorker', length: undefined, files: [{ length: 4, path: ['a'] }] })],
  ['33 components', paths(Array.from({ length: 32 }, () => 'a'))],
  ['1025 bytes', paths(Array.from({ length: 4 }, () => 'y'.repeat(255)))],
  ['the same path twice', paths(['a'], ['b'], ['a'])],
  ['the same path but for case', paths(['a', 'FILE'], ['A', 'file'])],
  ['the same path but for folding', paths(['Straße'], ['STRASSE'])],
  ['the same path but for normalisation', paths(['\u00e9'], ['e\u0301'])],
  ['a file that is a folder', paths(['a', 'b'], ['a'])],
  ['a file that is a folder, further up, but for case', paths(['A'], ['a', 'b', 'c'])]
]

function isRefused (t: test.Test, name: string, code: string, run: () => unknown, blame = 'input'): void {
  const error = thrownBy(run)
  t.equal(error?.code, `BW_ERR_TASK_${code}`, `${name}: ${error?.message}`)
  t.equal(error?.blame, blame)
  t.notOk(/[\p{Cc}\p{Bidi_Control}]/u.test(error?.message ?? '\n'), 'one line that any terminal can show')
}

test('bad task files', t => {
  for (const [name, code, input] of badFiles) isRefused(t, name, code, () => parseTask(input))
  isRefused(t, 'not bytes', 'NOT_BENCODE', () => parseTask('d4:infodee' as unknown as Uint8Array))
  t.end()
})

test('bad names', t => {
  for (const [what, name] of badNames) {
    isRefused(t, `${what}: the task's name`, 'NAME', () => parseTask(info({ name })))
    isRefused(t, `${what}: in a path`, 'NAME', () => parseTask(paths(['a', name, 'b'])))
  }
  for (const [name, input] of badPaths) isRefused(t, name, 'NAME', () => parseTask(input))
  t.end()
})

test('good names that look odd', t => {
  const odd = [
    'x'.repeat(255),
    '...x',
    ' x',
    'console',
    'nul-1',
    'com',
    '-rf',
    '~',
    '$(reboot)',
    'é',
    '日本語',
    '🎬',
    '.hidden',
    'bitworker'
  ]
  for (const name of odd) t.equal(thrownBy(() => parseTask(info({ name }))), null, name)
  t.equal(thrownBy(() => parseTask(paths(Array.from({ length: 31 }, () => 'a')))), null, '32 components')
  t.equal(thrownBy(() => parseTask(paths(['.bitworker']))), null, '.bitworker further down')
  t.equal(thrownBy(() => parseTask(paths(['a', 'b'], ['a', 'c'], ['ab']))), null, 'files in one folder')
  t.end()
})

test('a huge file is refused without looking at it', t => {
  // Never touched, so it takes no memory either; hashing it would take half a second.
  const large = new Uint8Array(1_000_000_000)
  const start = performance.now()
  t.equal(thrownBy(() => parseTask(large))?.code, 'BW_ERR_TASK_TOO_LARGE')
  t.ok(performance.now() - start < 250)
  t.end()
})

const good: CreateTaskOptions = { name: 'x', command: 'true', parts: 2 }
const without = (key: keyof CreateTaskOptions): object => ({ ...good, [key]: undefined })

const badOptions: Array<[name: string, code: string, opts: unknown]> = [
  ['nothing', 'OPTIONS', undefined],
  ['null', 'OPTIONS', null],
  ['no name', 'OPTIONS', without('name')],
  ['no command', 'OPTIONS', without('command')],
  ['neither parts nor files', 'OPTIONS', without('parts')],
  ['both parts and files', 'OPTIONS', { ...good, files: [{ path: 'a', parts: 1 }] }],
  ...[0, -1, 1.5, NaN, Infinity, '2', null, {}].map((parts): [string, string, unknown] => [`parts ${inspect(parts)}`, 'OPTIONS', { ...good, parts }]),
  ['too many parts', 'TOO_MANY_PIECES', { ...good, parts: 2 ** 20 + 1 }],
  ['far too many parts', 'TOO_MANY_PIECES', { ...good, parts: 1e300 }],
  ['files is no list', 'OPTIONS', { ...without('parts'), files: 'a' }],
  ['a file is null', 'OPTIONS', { ...without('parts'), files: [null] }],
  ['a file without a path', 'OPTIONS', { ...without('parts'), files: [{ parts: 1 }] }],
  ['a file without parts', 'OPTIONS', { ...without('parts'), files: [{ path: 'a' }] }],
  ['no files', 'NO_FILES', { ...without('parts'), files: [] }],
  ['an absolute path', 'NAME', { ...without('parts'), files: [{ path: '/a', parts: 1 }] }],
  ['a way out', 'NAME', { ...without('parts'), files: [{ path: 'a/../../b', parts: 1 }] }],
  ['an empty name', 'NAME', { ...good, name: '' }],
  ['a lone surrogate', 'OPTIONS', { ...good, name: '\ud800' }],
  ['an empty command', 'NO_COMMAND', { ...good, command: '' }],
  ['a command with NUL', 'COMMAND', { ...good, command: '\0' }],
  ['a complete command that is a number', 'OPTIONS', { ...good, completeCommand: 1 }],
  ...[0, -1, 0.5, 2 ** 30 + 1, NaN, '4'].map((pieceLength): [string, string, unknown] =>
    [`pieceLength ${inspect(pieceLength)}`, 'PIECE_LENGTH', { ...good, pieceLength }]),
  ...[0, 999, 1500, -1000, 31_536_001_000, NaN].map((timeoutMs): [string, string, unknown] =>
    [`timeoutMs ${timeoutMs}`, 'TIMEOUT', { ...good, timeoutMs }]),
  ['a complete command without time', 'TIMEOUT', { ...good, completeTimeoutMs: 0 }],
  ...[0, -1, 1024, 2 ** 20 + 0.5, NaN, '4G', null].flatMap((size): Array<[string, string, unknown]> => [
    [`memoryBytes ${inspect(size)}`, 'LIMITS', { ...good, memoryBytes: size }],
    [`scratchBytes ${inspect(size)}`, 'LIMITS', { ...good, scratchBytes: size }]
  ]),
  ['announce is a text', 'OPTIONS', { ...good, announce: 'udp://127.0.0.1:1' }],
  ['a tracker that is none', 'OPTIONS', { ...good, announce: ['ftp://127.0.0.1/'] }],
  ['a tracker that is a number', 'OPTIONS', { ...good, announce: [1] }],
  ['129 trackers', 'OPTIONS', { ...good, announce: Array.from({ length: 129 }, () => 'udp://127.0.0.1:1') }],
  ['a comment that is a number', 'OPTIONS', { ...good, comment: 1 }],
  ['a long comment', 'OPTIONS', { ...good, comment: 'x'.repeat(16_385) }],
  ['created is a number', 'OPTIONS', { ...good, created: 1 }],
  ['created is an invalid date', 'OPTIONS', { ...good, created: new Date(NaN) }],
  ['created before 1970', 'OPTIONS', { ...good, created: new Date(-1) }]
]

test('bad options of createTask', t => {
  t.equal(thrownBy(() => createTask(good)), null)
  for (const [name, code, opts] of badOptions) {
    isRefused(t, name, code, () => createTask(opts as CreateTaskOptions), 'usage')
  }
  t.end()
})

test('every code thrown here is in docs/errors.md', t => {
  const documented = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  const codes = new Set([...badFiles, ...badOptions].map(([, code]) => code))
  for (const code of [...codes, 'NAME', 'INFO_HASH', 'PIECE']) {
    t.ok(documented.includes(`\`BW_ERR_TASK_${code}\``), code)
  }
  t.ok(documented.includes('`BW_ERR_BENCODE`'))
  t.end()
})

test('property: damaged task files are read or refused; nothing else happens', t => {
  const originals = [...Object.values(fixtures), info({}), paths(['a', 'b'], ['c'])]
  const damaged = fc
    .tuple(fc.constantFrom(...originals), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
    .map(([original, edits, end]) => {
      const input = original.slice(0, end % 4 === 0 ? end % original.length : undefined)
      for (const [at, byte] of edits) input[at % input.length] = byte
      return input
    })
  let accepted = 0
  fc.assert(fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), input => {
    const error = thrownBy(() => {
      const task = parseTask(input)
      accepted++
      if (task.infoHash !== parseTask(encodeTask(task)).infoHash) throw new Error('cannot be written and read again')
    })
    return error === null || error.code.startsWith('BW_ERR_TASK_')
  }), { seed, numRuns: 10_000 })
  t.ok(accepted > 0, `10 000 inputs, ${accepted} accepted`)
  t.end()
})
