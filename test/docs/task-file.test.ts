// docs/task-file.md against the reader: its vectors, tables and ranges.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { commandEnv, sandboxEnv } from '../../lib/executor/env.ts'
import { createTask, magnetOf, parseTask, workItemEnv } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { columnsProblem, RESERVED_NAMES } from '../../lib/task/columns.ts'
import { TASK_KEYS } from '../../lib/task/unsupported.ts'
import { tablesUnder } from '../helpers/markdown.ts'
import { TASK_MUSTS, checkMusts } from './musts.ts'

const document = readFileSync('docs/task-file.md', 'utf8')
const vectors = JSON.parse(readFileSync('docs/task-file-vectors.json', 'utf8')) as Vector[]

type Reading = 'compute' | 'download' | 'refuse'
interface Vector {
  name: string
  reader: Reading
  infoHash?: string
  digest?: string
  pieceCount?: number
  unknown?: number
  file: string
}

type Dict = Record<string, Encodable | undefined>

function file (info: Dict, bitworker: Dict = {}): Uint8Array {
  return encode({
    info: { bitworker: { command: 'true', version: 1, ...bitworker }, length: 8, name: 'x', 'piece length': 4, ...info }
  })
}

/** What is not known to this version. */
const unknownIn = (task: Task): readonly string[] => task.unsupported ?? []

/** What the reader does with a task file. */
function read (bytes: Uint8Array): Reading {
  try {
    return unknownIn(parseTask(bytes)).length === 0 ? 'compute' : 'download'
  } catch (error) {
    if (error instanceof BitWorkerError) return 'refuse'
    throw error
  }
}

test('vectors', t => {
  t.deepEqual(new Set(vectors.map(({ reader }) => reader)), new Set(['compute', 'download', 'refuse']))
  for (const { name, reader, infoHash, digest, pieceCount, unknown, file: hex } of vectors) {
    const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
    t.equal(read(bytes), reader, name)
    if (reader === 'refuse') continue
    const task = parseTask(bytes)
    t.deepEqual(
      [task.infoHash, Buffer.from(task.digest).toString('hex'), task.pieceCount, unknownIn(task).length],
      [infoHash, digest, pieceCount, unknown ?? 0], `${name}: what it is`)
  }
  t.end()
})

test('the keys of `bitworker` are those that the reader knows', t => {
  const [, keys] = tablesUnder(document, 'The info dictionary')
  t.deepEqual(keys!.map(([key]) => key!.replaceAll('`', '')).sort(), [...TASK_KEYS.keys()].sort())
  t.end()
})

/** `2^20` as a number. */
function power (text: string): number {
  const [base = 0, exponent = 1] = text.replaceAll(' ', '').split('^').map(Number)
  return base ** exponent
}

test('ranges: their ends are accepted, numbers beyond are rejected', t => {
  const rows = tablesUnder(document, 'The info dictionary')
    .flat()
    .flatMap(([key = '', value = '']) =>
      [...value.matchAll(/^([\d^ ]+) … ([\d^ ]+)$/g)].map(([, from = '', to = '']) => ({
        key: key.replaceAll('`', ''), from: power(from), to: power(to)
      }))
    )
  t.deepEqual(
    rows.map(({ key }) => key), [
      'piece length', 'length', 'timeout', 'complete timeout', 'memory', 'scratch', 'verify timeout'
    ]
  )
  for (const { key, from, to } of rows) {
    const make = (value: number): Uint8Array => {
      if (key === 'length') return file({ length: value, 'piece length': 2 ** 30 })
      if (key === 'verify timeout') return file({}, { version: 2, 'verify command': 'true', [key]: value })
      return key === 'piece length' ? file({ [key]: value }) : file({}, { [key]: value })
    }
    t.deepEqual(
      [from - 1, from, to, to + 1].map(value => read(make(value))),
      ['refuse', 'compute', 'compute', 'refuse'],
      `${key}: ${from} … ${to}`
    )
  }
  t.end()
})

const INPUT = { name: 'a', data: 'x' }
const VERSIONS: Record<string, Dict[]> = {
  '`version` 1, and known keys of version 1 only': [{}, { requires: [], timeout: 1 }],
  '`version` 2, and known keys only, also inside `inputs` and `needs`': [
    { version: 2, 'verify command': 'true', 'compare command': 'true', deterministic: 0 },
    { version: 2 }, { version: 2, timeout: 1 }, { version: 2, needs: {} }, { version: 2, needs: { cpus: 4096, gpu: 1 } }
  ],
  '`version` 1, and a key that the reader does not know, or one of version 2': [
    { inputs: 1 }, { inputs: [INPUT] }, { needs: {} }, { 'output pattern': '%d' }, { 'verify command': 'true' }, { deterministic: 1 }, { '': '' }, { Command: 'x' }
  ],
  '`version` 2, and a key that the reader does not know, also in an entry of `inputs` or in `needs`': [
    { version: 2, env: 1 }, { version: 2, needs: { gpus: 1 } }, { version: 2, inputs: [{ ...INPUT, mode: 1 }] }
  ],
  'in `requires` a name that the reader does not know': [
    { requires: ['gpu'] }, { requires: [''] }, { version: 2, requires: ['gpu'] }
  ],
  'a `requires` that is not a list of text': [
    { requires: 1 }, { requires: {} }, { requires: [1] }, { requires: [Uint8Array.of(0xff)] }
  ],
  'a `version` above 2': [{ version: 3 }, { version: 2 ** 52, command: undefined }],
  'no `version`, one below 1, or one that is not an integer': [
    { version: undefined }, { version: 0 }, { version: -1 }, { version: '1' }, { version: [1] }
  ]
}
const READINGS: Record<string, Reading> = {
  'may compute': 'compute', 'does not compute': 'download', refuses: 'refuse'
}

test('versions, row by row', t => {
  const [rows] = tablesUnder(document, 'Versions')
  t.deepEqual(rows!.map(([row]) => row), Object.keys(VERSIONS))
  for (const [row = '', reader = ''] of rows!) {
    for (const bitworker of VERSIONS[row]!) t.equal(read(file({}, bitworker)), READINGS[reader], row)
  }
  t.end()
})

test('the variables that a command finds', t => {
  const [rows] = tablesUnder(document, 'The command')
  const task = createTask({
    name: 'big',
    command: 'true',
    files: [
      { path: 'a/left.bin', parts: 2 }, { path: 'b', parts: 3 }
    ]
  })
  const found = sandboxEnv('/w', workItemEnv(task, 3))
  const names = rows!.map(([name]) => name!.replaceAll('`', ''))
  t.deepEqual(names.filter(name => !(name in found)), [], 'all are there')
  const others = Object.keys(found).filter(name => !names.includes(name))
  t.deepEqual(
    others.filter(name => !/CONFIG/.test(name)),
    [],
    'no other, but what keeps programs from the configuration of the machine'
  )
  for (const [name = '', value = ''] of rows!.slice(-3)) {
    t.equal(found[name.replaceAll('`', '')], value.replaceAll('`', ''), name)
  }
  t.equal(found['PATH'], '/usr/local/bin:/usr/bin:/bin:/w')
  t.deepEqual(
    [found['FILE'], found['FILE_IDX'], found['PART_IDX'], found['PART_COUNT'], found['PIECE_COUNT']],
    ['big/b', '1', '1', '3', '5']
  )
  t.deepEqual(
    Object.keys(commandEnv({ SECRET: '1' }, '/w', {})).filter(name => !names.includes(name)),
    [],
    'nor without a sandbox'
  )
  t.end()
})

test('names that no column may have', t => {
  const [rows] = tablesUnder(document, 'Entries')
  const [names = [], prefixes = []] = rows!.map(([, list = '']) => [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name!))
  t.deepEqual([...RESERVED_NAMES].sort(), names.toSorted())
  t.deepEqual(prefixes.filter(prefix => columnsProblem([`${prefix}1`]) === null), [], 'all are refused')
  t.end()
})

test('links have no parameters but those of the table', t => {
  const [rows] = tablesUnder(document, 'Magnet links')
  const names = rows!.map(([name]) => name!.replaceAll('`', ''))
  const signed = parseTask(new Uint8Array(Buffer.from(vectors.find(({ name }) => name === 'signed')!.file, 'hex')))
  const link = magnetOf({ ...signed, announce: ['udp://127.0.0.1:1'] }, { peers: ['[::1]:6881'] })
  t.deepEqual(
    new Set(
      link
        .slice('magnet:?'.length)
        .split('&')
        .map(parameter => parameter.split('=')[0])
    ),
    new Set(names.filter(name => name !== 'so' && name !== 'xs'))
  )
  t.end()
})

test('each sentence with MUST is played, or listed with a reason', t => {
  checkMusts(t, document, TASK_MUSTS)
  t.end()
})
