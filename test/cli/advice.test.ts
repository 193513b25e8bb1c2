/** What people are told is true for whoever reads it, and says what this command can do. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import test from 'tape'
import { BitWorkerError, errorAbout } from '../../lib/base/errors.ts'
import type { ErrorCode, Remedy } from '../../lib/base/errors.ts'
import { advised } from '../../lib/cli/output/failure.ts'
import { tidyLink } from '../../lib/cli/run/link.ts'
import { ioError } from '../../lib/system/io-errors.ts'
import { encodeTask, createTask, parseTask } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { filesLike } from '../helpers/files.ts'

const HASH = '726e463cb277831a21e967c226886e58fddc8bf4'
const LINK = `magnet:?xt=urn:btih:${HASH}`

test('messages of the library name no flag and no command of the command line', t => {
  const strings = /'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g
  for (const file of filesLike('lib/**/*.ts', 'extensions/**/*.ts').filter(
    name => !/^lib\/cli\/|sandbox\/(?:bwrap|bwrap-args|prelude)\.ts$/.test(name)
  )) {
    const code = readFileSync(file, 'utf8').replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    // a message has blanks, an argument of a program has none
    const messages = [...code.matchAll(strings)]
      .map(([text]) => text)
      .filter(text => /[a-z] [a-z]/.test(text) && !text.includes('\n'))
    const wrong = messages.filter(text =>
      /(?<![\w-])--[a-z]|\s-[oj]\b|\bbitworker (?:run|create|info|keygen|sign|trust|tracker|doctor)\b/.test(text)
    )
    t.deepEqual(wrong, [], file)
  }
  t.end()
})

test('messages are full sentences', t => {
  const messages = /new (?:BitWorker|Command|Exit)Error\(\s*(?:[\w.]+,\s*|'\S*',\s*)*('(?:[^'\\\n]|\\.)* .*?'|`(?:[^`\\]|\\.)* (?:[^`\\]|\\.)*`)/g
  let count = 0
  for (const file of filesLike('lib/**/*.ts', 'extensions/**/*.ts')) {
    const texts = [...readFileSync(file, 'utf8').matchAll(messages)].map(([, text]) => text!)
    count += texts.length
    // it may begin with what it is about, and end with a reason that is a sentence of its own
    t.deepEqual(texts.filter(text => !/^.(?:[A-Z]|\$\{|--|slots )[^]*(?:[.?]|\})['`]$/.test(text)), [], file)
  }
  t.ok(count > 50, `${count} of them`)
  t.end()
})

/** An author's mistakes: what is wrong, and the flag that mends it; nobody is sent to the author. */
const AUTHOR: Array<[args: string[], says: RegExp]> = [
  [
    ['--name', 'a', '--command', `: ${'x'.repeat(70_000)}`],
    /^bitworker: The task's command has 70002 bytes; at most 65536 are allowed\. Put it into a script, and pass that with --script FILE\.$/
  ],
  [
    ['--name', 'a', '--command', ' '],
    /^bitworker: The task has no command, so there is nothing to run\. Pass --command CMD\.$/
  ],
  [
    ['--name', 'a/b', '--command', 'true'],
    /^bitworker: The task's file name "a\/b" contains a slash or a backslash\. Choose another one \(--name, --file, --out-pattern\)\.$/
  ],
  [
    ['--name', 'a', '--command', 'true', '--piece-length', '2G'],
    /not a whole number from 1 to 1073741824 bytes\. Choose another --piece-length\.$/
  ],
  [
    ['--name', 'a', '--command', 'true', '--timeout', '99999999'],
    /not 1 to 31536000 whole seconds\. Choose another --timeout, --complete-timeout or --verify-timeout\.$/
  ],
  [
    ['--name', 'a', '--command', 'true', '--memory', '2048G'],
    /not 1048576 to 1099511627776 whole bytes\. Choose another --memory or --scratch\.$/
  ],
  [
    ['--name', 'a', '--command', 'true', '--private'],
    /Peers find a private task only through its trackers. Pass --announce URL as well.$/
  ],
  [
    ['--name', 'a', '--command', 'true', '--sign'],
    /signing\.key: No such file\. Create a key, or name another file \(bitworker keygen, --key FILE\)\.$/
  ]
]

test('an author is told which flag to change', async t => {
  const { run } = await workspace(t)
  for (const [args, says] of AUTHOR) {
    const { code, stderr } = await run(['create', '--parts', '1', ...args])
    t.equal(code, 2, says.source)
    t.match(stderr.trimEnd(), says)
    t.doesNotMatch(stderr, /author/, 'who is the author')
  }
})

test('advice is chosen by code and remedy, never by words', t => {
  const cases: Array<[code: ErrorCode, command: string, remedy: Remedy | undefined, said: string]> = [
    ['BW_ERR_OUTPUT_FOLDER', 'run', 'another-folder', 'No with -o.'],
    ['BW_ERR_OUTPUT_FOLDER', 'run', 'move-away', 'No, or choose another folder with -o.'],
    ['BW_ERR_OUTPUT_FOLDER', 'run', undefined, 'No.'],
    ['BW_ERR_SYMLINK', 'create', 'another-folder', 'No.'],
    ['BW_ERR_FILE_EXISTS', 'create', 'move-away', 'No, or choose another folder with --into.'],
    ['BW_ERR_FILE_EXISTS', 'create', undefined, 'No. Choose another name with -o, or overwrite it with --force.'],
    ['BW_ERR_FILE_EXISTS', 'keygen', undefined, 'No. Choose another file with -o, or overwrite it with --force.'],
    ['BW_ERR_KEY', 'sign', 'another-key', 'No (bitworker keygen, --key FILE).'],
    ['BW_ERR_KEY_FILE', 'sign', undefined, 'No.'],
    ['BW_ERR_NEEDS', 'run', 'allow-gpu', 'No. Run it again with --gpu to let it use yours.'],
    ['BW_ERR_NEEDS', 'run', undefined, 'No.'],
    ['BW_ERR_NOT_FINISHED', 'seal', 'finish', 'No. Run it to its end, or name another folder with --dir.'],
    ['BW_ERR_NOT_FINISHED', 'seal', undefined, 'No.'],
    ['BW_ERR_TASK_COMMAND', 'create', undefined, 'No.']
  ]
  for (const [code, command, remedy, said] of cases) {
    t.equal(advised({ code, message: 'No.', remedy }, command), said, `${code} ${command} ${remedy}`)
  }
  const error = errorAbout('a.key', new BitWorkerError('BW_ERR_KEY', 'usage', 'No.', { remedy: 'another-key' }))
  t.deepEqual([error.message, error.remedy, error.blame], ['a.key: No.', 'another-key', 'usage'], 'an error keeps it')
  for (const [errno, remedy] of [['EROFS', 'another-folder'], ['EISDIR', 'move-away'], ['EMFILE', undefined]]) {
    const err = ioError(Object.assign(new Error('no'), { code: errno }), '/x')
    t.equal(err instanceof BitWorkerError && err.remedy, remedy, errno)
  }
  t.end()
})

test('a reader of the same task is sent to its author', t => {
  const long = 'd4:infod9:bitworkerd7:command3:foo7:timeouti0e7:versioni1ee6:lengthi1e4:name1:a12:piece lengthi1eee'
  t.throws(
    () => parseTask(Buffer.from(long)),
    /The task's timeout is 0 s, not 1 to 31536000 whole seconds\. Ask its author to correct it\.$/
  )
  t.end()
})

test('a file or folder that is in the way', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(
    path.join(dir, 'x.bitworker'),
    encodeTask(createTask({ name: 'x', parts: 1, command: 'echo hello', pieceLength: 64 }))
  )
  const here = ['run', 'x.bitworker', '--yes', '--exit', ...OFFLINE]
  await mkdir(path.join(dir, 'folder', 'x'), { recursive: true })
  for (const force of [[], ['--force']]) {
    const { code, stderr } = await run([...here, '-o', 'folder', ...force])
    t.equal(code, 2)
    t.match(
      stderr,
      /\/folder\/x is a folder, but the task has a file of that name\. Move it away, or choose another folder with -o\.$/m,
      'a folder: --force is not advised'
    )
  }
  await mkdir(path.join(dir, 'file'))
  await writeFile(path.join(dir, 'file', 'x'), 'mine')
  const refused = await run([...here, '-o', 'file'])
  t.match(
    refused.stderr,
    /\/file\/x already exists: BitWorker did not write it, or it has changed since\. Move it away, choose another folder with -o, or overwrite it with --force\.$/m
  )
  t.equal((await run([...here, '-o', 'file', '--force'])).code, 0, 'which does what was said')
  t.equal(await readFile(path.join(dir, 'file', 'x'), 'utf8'), 'hello\n')
})

test('--bind the wrong way round', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(path.join(dir, 'x.bitworker'), encodeTask(createTask({ name: 'x', parts: 1, command: 'true' })))
  await mkdir(path.join(dir, 'venv'))
  const { code, stderr } = await run(['run', 'x.bitworker', '--yes', '--bind', `env:${dir}/venv`, ...OFFLINE])
  t.equal(code, 2)
  t.match(
    stderr,
    new RegExp(
      `--bind env:${dir}/venv: ${dir}/venv cannot be its name in the command's folder. Pass --bind ${dir}/venv:env`
    )
  )
  t.match(
    (await run(['run', 'x.bitworker', '--yes', '--bind', 'no/such/path', ...OFFLINE])).stderr,
    /No such file or folder, or it is not readable\. Check the path \(--bind PATH:NAME\)\./
  )
  t.match(
    (await run(['run', 'x.bitworker', '--yes', '--bind', 'venv:p', ...OFFLINE])).stderr,
    /The name "p" is reserved for the parts\. Give another one \(--bind PATH:NAME\)\./
  )
})

test('trust remove accepts the same keys as trust add', async t => {
  const { dir, run } = await workspace(t)
  const keygen = await run(['keygen', '-o', 'ada.key', '--label', 'Ada'])
  const key = /public key {2}([0-9a-f]{64})/.exec(keygen.stdout)![1]!
  for (const name of ['ada.pub', path.join(dir, 'ada.pub'), key, key.toUpperCase(), 'Ada']) {
    t.equal((await run(['trust', 'add', 'ada.pub'])).code, 0)
    const { code, stdout } = await run(['trust', 'remove', name])
    t.deepEqual([code, stdout.slice(0, 64)], [0, key], name)
  }
  const gone = await run(['trust', 'remove', 'ada.pub'])
  t.match(gone.stderr, /ada\.pub: The trust list has no such key or label/)
})

const TIDY: Array<[pasted: string, link: string]> = [
  [LINK, LINK],
  [` ${LINK}\n`, LINK],
  [`"${LINK}&dn=a"`, `${LINK}&dn=a`],
  [`<${LINK}&amp;dn=a>`, `${LINK}&dn=a`],
  [`MAGNET:?XT=URN:BTIH:${HASH}&DN=a`, `${LINK}&dn=a`],
  [`magnet:?xt=urn%3Abtih%3A${HASH}&dn=a%20b`, `${LINK}&dn=a%20b`],
  [encodeURIComponent(`${LINK}&dn=a`), `${LINK}&dn=a`],
  [`magnet:?xt=urn:btih:${HASH.slice(0, 20)}\r\n   ${HASH.slice(20)}&dn=my file`, `${LINK}&dn=my%20file`],
  [`${LINK}&x.pe=[::1]:6881&&`, `${LINK}&x.pe=[::1]:6881`],
  [` ${HASH}\n`, HASH],
  ['HTTPS://example.org/A', 'https://example.org/A'],
  [' a file.bitworker', ' a file.bitworker'],
  ["'quoted'", "'quoted'"]
]

test('links as they are pasted', t => {
  for (const [pasted, link] of TIDY) t.equal(tidyLink(pasted), link, JSON.stringify(pasted))
  t.end()
})

const ODD: Array<[link: string, says: RegExp]> = [
  ['magnet:?dn=x', /has no info-hash.*quotes/],
  ['magnet:', /has no info-hash/],
  ['magnet:?xt=urn:btmh:1220caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e', /BitTorrent v2 only/],
  [`magnet:?xt=urn:btih:${HASH.slice(1)}`, /info-hash of 39 characters instead of 40 hex digits or 32 of base 32/],
  ['magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C', /does not name a torrent \(urn:sha1:/]
]

test('a link that cannot work says why', async t => {
  const { run } = await workspace(t)
  for (const [link, says] of ODD) {
    const { code, stderr } = await run(['info', link, '--timeout', '1', ...OFFLINE])
    t.equal(code, 2, link)
    t.match(stderr, says)
  }
  const cut = await run(['info', LINK, '--timeout', '1', ...OFFLINE])
  t.match(
    cut.stderr,
    /If you gave a longer one, put it in quotes: the shell cuts it at the first &/,
    'a link that the shell may have cut'
  )
  t.doesNotMatch((await run(['info', `${LINK}&dn=a`, '--timeout', '1', ...OFFLINE])).stderr, /quotes/)
})

const BROKEN: Array<[what: string, bytes: string, says: RegExp]> = [
  [
    'of version 2 alone',
    'd4:infod9:file treed1:ad0:d6:lengthi5eeee12:meta versioni2e4:name1:a12:piece lengthi16384eee',
    /v2 only \(BEP 52\).*\. Ask for a hybrid one\.$/
  ],
  [
    'too long for its hashes',
    `d4:infod6:lengthi9999999e4:name1:a12:piece lengthi16384e6:pieces20:${'x'.repeat(20)}ee`,
    /its length \(9999999\) does not fit its 1 piece hashes\. Get it again, or use another one\.$/
  ],
  ['cut off', 'd4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:xx', /\. Get it again, or use another one\.$/]
]

test('a torrent that cannot be used says why', async t => {
  const { dir, run } = await workspace(t)
  for (const [what, bytes, says] of BROKEN) {
    await writeFile(path.join(dir, 'a.torrent'), bytes)
    for (const command of [['info'], ['run', '--yes', '--exit']]) {
      const { code, stderr } = await run([...command, 'a.torrent', ...OFFLINE])
      t.equal(code, 2, what)
      t.match(stderr.trimEnd(), says)
      t.match(stderr, /^bitworker: The torrent file cannot be used: (?!Invalid)/m)
    }
  }
})

test('a tracker that fails: which one, and why', async t => {
  const { dir, start } = await workspace(t)
  await writeFile(
    path.join(dir, 'x.bitworker'), encodeTask(createTask({ name: 'x', parts: 1, command: 'true', pieceLength: 64 }))
  )
  const refusing = createServer().listen(0, '127.0.0.1')
  await once(refusing, 'listening')
  const { port } = refusing.address() as AddressInfo
  refusing.close()
  const url = `http://127.0.0.1:${port}/announce`
  const running = start([
    'run', 'x.bitworker', '--yes', '--json', ...OFFLINE.filter(flag => flag !== '--no-tracker'), '--announce', url
  ])
  t.equal((await running.event('warning'))['message'], `${url}: connection refused`)
})

test('a private task is explained', async t => {
  const { run } = await workspace(t)
  const made = await run([
    'create',
    '--name',
    'x',
    '--parts',
    '1',
    '--command',
    'true',
    '--private',
    '--announce',
    'udp://127.0.0.1:1'
  ])
  t.equal(made.code, 0)
  t.match(
    (await run(['info', 'x.bitworker'])).stdout,
    /^ {2}private {5}peers are found only through its trackers, not through DHT, local network or peer exchange$/m
  )
})

test('at any width words, units and flags stay whole', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(
    path.join(dir, 'x.bitworker'),
    encodeTask(createTask({ name: 'x', parts: 1, pieceLength: 64, command: 'echo one\necho "two  words"\n' }))
  )
  for (const columns of [40, 80, 200]) {
    const { stdout } = await run(['run', 'x.bitworker', '-o', `out${columns}`, '--yes', '--exit', ...OFFLINE], {
      terminal: true, columns
    })
    const lines = stripVTControlCharacters(stdout).split(/\r?\n/)
    t.ok(
      lines.includes('  command     │ echo one') && lines.includes('              │ echo "two  words"'),
      `${columns} columns: the lines of the command`
    )
    const notes = lines.slice(0, lines.findIndex(line => /[█░]/.test(line)))
    t.ok(notes.length > 10 && notes.every(line => line.length <= columns), 'no line is too long')
    t.deepEqual(notes.filter(line => /-$|^ *(?:h|s|B|MiB|GiB)\b|^-?bind/.test(line)), [], 'and none ends within a word')
    t.ok(notes.some(line => line.includes('--bind')) && notes.join(' ').includes('512 MiB'), 'such as these')
  }
})
