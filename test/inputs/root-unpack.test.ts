// The archive of a root comes from strangers: what is in it is what is unpacked, and nothing else happens.
import { createReadStream, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import test from 'tape'
import { ROOT_LIMITS } from '../../lib/inputs/roots/archive.ts'
import type { RootLimits } from '../../lib/inputs/roots/archive.ts'
import { unpackRoot } from '../../lib/inputs/roots/unpack.ts'
import { createFolder } from '../helpers/disk.ts'
import { archiveOf, block, tarOf } from '../helpers/tars.ts'
import type { TarEntry } from '../helpers/tars.ts'
import type { Test } from 'tape'

const OWN = ['dev', 'list', 'o', 'proc', 'scratch', 'stdin', 'sys', 'tmp']

interface Unpacked { error: { code?: string, message: string } | null, at: string, names: string[] }

/** Unpacks it into a folder beside which nothing else may appear. */
async function unpack (
  t: Test, bytes: Uint8Array, limits: Partial<RootLimits> = {}, signal?: AbortSignal
): Promise<Unpacked> {
  const dir = createFolder(t)
  const [archive, at] = [path.join(dir, 'archive'), path.join(dir, 'in', 'root')]
  writeFileSync(archive, bytes)
  mkdirSync(path.dirname(at))
  const error = await unpackRoot(createReadStream(archive), at, { ...ROOT_LIMITS, ...limits }, signal)
    .then(() => null, (err: unknown) => err as Error & { code?: string })
  const beside = [...readdirSync(dir), ...readdirSync(path.dirname(at))].sort()
  t.same(beside.filter(name => !['archive', 'in', 'root'].includes(name)), [], 'nothing beside it')
  return { error, at, names: readdirSync(at, { recursive: true, encoding: 'utf8' }).sort() }
}

const mtime = new Date(1_600_000_000_000)
const SYSTEM: TarEntry[] = [
  { name: './', type: 'directory', mtime },
  { name: './usr/bin/', type: 'directory', mtime },
  { name: './bin', type: 'symlink', linkname: 'usr/bin', mtime },
  { name: './usr/bin/tool', mode: 0o4755, mtime, data: 'a program' },
  { name: './usr/bin/same', type: 'link', linkname: './usr/bin/tool' },
  { name: './usr/bin/abs', type: 'symlink', linkname: '/usr/bin/tool', mtime },
  { name: './etc/shadow', mode: 0o600, data: 'x' },
  { name: './etc/mtab', type: 'symlink', linkname: '/proc/mounts' },
  { name: './etc/resolv.conf', type: 'symlink', linkname: '../run/nowhere' },
  { name: './dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
  { name: './tmp', type: 'symlink', linkname: '/etc' },
  { name: `./usr/share/${'long/'.repeat(30)}ä`, data: 'long' },
  { name: './home/empty/', type: 'directory' }
]

test('a system is what it was, but for rights, and what a sandbox covers', async t => {
  const tar = await tarOf(SYSTEM)
  for (const [kind, bytes] of [['tar', tar], ['gzip', gzipSync(tar)], ['zstd', zstdCompressSync(tar)]] as const) {
    const { error, at, names } = await unpack(t, bytes)
    t.equal(error, null, kind)
    const mode = (name: string): string => (lstatSync(path.join(at, name)).mode & 0o7777).toString(8)
    t.same([mode('usr/bin/tool'), mode('etc/shadow'), mode('usr/bin'), mode('home/empty'), mode('')], ['555', '444', '755', '755', '755'])
    t.equal(readFileSync(path.join(at, 'usr/bin/same'), 'utf8'), 'a program')
    t.equal(statSync(path.join(at, 'usr/bin/same')).ino, statSync(path.join(at, 'usr/bin/tool')).ino)
    t.same(['bin', 'usr/bin/abs', 'etc/mtab'].map(name => readlinkSync(path.join(at, name))), ['usr/bin', '/usr/bin/tool', '/proc/mounts'])
    t.same(['usr/bin/tool', 'usr/bin', 'bin'].map(name => lstatSync(path.join(at, name)).mtimeMs), [mtime, mtime, mtime].map(Number), 'times')
    t.equal(readFileSync(path.join(at, `usr/share/${'long/'.repeat(30)}ä`), 'utf8'), 'long')
    t.same(names.filter(name => OWN.includes(name.split('/')[0]!)), OWN, 'what is covered is empty')
    t.ok(lstatSync(path.join(at, 'tmp')).isDirectory(), 'and no link')
  }
})

const small = Buffer.alloc(100)
const file = (name: string): Buffer => block({ name }, 'x')
const link = (name: string, to: string): Buffer => block({ name, type: '2', link: to })
const pax = (record: string, type = 'x'): Buffer => {
  let length = record.length + 2
  while (`${length} ${record}\n`.length !== length) length = `${length} ${record}\n`.length
  return block({ name: 'pax', type }, `${length} ${record}\n`)
}

/** By what is said of them. */
const HOSTILE: Array<[RegExp, Uint8Array]> = [
  [/is empty/, new Uint8Array()],
  [/is empty/, archiveOf()],
  [/cannot be read/, Buffer.alloc(2000, 'no archive')],
  [/cannot be read/, archiveOf(file('a')).subarray(0, 600)],
  [/cannot be read/, gzipSync(archiveOf(file('a'))).subarray(0, 40)],
  [/cannot be read/, Buffer.concat([gzipSync(archiveOf(file('a'))).subarray(0, 40), small])],
  [/compressed by xz/, Buffer.concat([Buffer.from('fd377a585a00', 'hex'), small])],
  [/compressed by bzip2/, Buffer.from('BZh9 and so on')],
  [/cannot be read/, archiveOf(block({ size: `${'\xff'.repeat(11)}\0` }))],
  [/cannot be read/, archiveOf(block({ size: 'abcdefg' }))],
  [/without a valid size/, archiveOf(block({ size: '\xfb' }))],
  [/without a valid size/, archiveOf(block({ size: '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff' }))],
  [/without a valid size/, archiveOf(pax('size=99999999999999999999'), file('a'))],
  ...['../a', 'a/../../b', '/../a', 'a/..', '..'].map(name => [/"\.\."/, archiveOf(file(name))] as [RegExp, Uint8Array]),
  [/"\.\."/, archiveOf(pax('path=../../etc/x'), file('a'))],
  [/"\.\."/, archiveOf(block({ name: 'l', type: 'L' }, '../../etc/x\0'), file('a'))],
  [/"\.\."/, archiveOf(file('dev/../../x'))],
  [/not text/, archiveOf(file('\xff\xfe'))],
  [/more than 255 bytes/, archiveOf(pax(`path=${'n'.repeat(256)}`), file('a'))],
  [/more than 64 folders/, archiveOf(pax(`path=${'d/'.repeat(70)}f`), file('a'))],
  [/more than 3000 bytes/, archiveOf(pax(`path=${`${'d'.repeat(250)}/`.repeat(20)}f`), file('a'))],
  [/without a name/, archiveOf(file('./'), file('.'))],
  [/character device: "x"/, archiveOf(block({ type: '3' }))],
  [/block device/, archiveOf(block({ type: '4' }))],
  [/fifo/, archiveOf(block({ type: '6' }))],
  [/not supported/, archiveOf(block({ type: 'S' }))],
  [/not supported/, archiveOf(block({ type: 'M' }))],
  [/sparse/, archiveOf(pax('GNU.sparse.major=1'), file('a'))],
  [/same name twice/, archiveOf(file('a'), file('./a'))],
  [/same name twice/, archiveOf(file('a'), link('a', 'b'))],
  [/same name twice/, archiveOf(link('a', 'b'), file('a'))],
  [/same name twice/, archiveOf(link('a', '/'), block({ name: 'a/', type: '5' }))],
  [/same name twice/, archiveOf(block({ name: 'a/', type: '5' }), link('a', '/'))],
  [/below a link: "a\/b"/, archiveOf(link('a', '/etc'), file('a/b'))],
  [/below a link/, archiveOf(link('a', 'c'), block({ name: 'c/', type: '5' }), block({ name: 'a/b/', type: '5' }))],
  [/below a file/, archiveOf(file('a'), file('a/b'))],
  ...['..', '../x', 'b/../../x', '/../x', '../../etc/passwd', '/a/../../b'].map(to => [/leads out of it/, archiveOf(link('a', to))] as [RegExp, Uint8Array]),
  [/leads out of it: "d\/e\/a" -> "\.\.\/\.\.\/\.\.\/x"/, archiveOf(link('d/e/a', '../../../x'))],
  [/not text/, archiveOf(link('a', ''))],
  [/too long/, archiveOf(pax(`linkpath=${'x/'.repeat(2100)}`), link('a', 'b'))],
  ...['/etc/passwd', 'b', 'd', 'l', 'dev/null', ''].map(to => [
    /hard link to what is no file/, archiveOf(block({ name: 'd/', type: '5' }), link('l', 'x'), block({ name: 'a', type: '1', link: to }))
  ] as [RegExp, Uint8Array]),
  [/"\.\."/, archiveOf(block({ name: 'a', type: '1', link: '../../etc/passwd' }))],
  [/with data that is no file/, archiveOf(block({ name: 'a', type: '2', link: 'b' }, 'data'))],
  [/with data that is no file/, archiveOf(block({ name: 'a/', type: '5' }, 'data'))],
  [/with data that is no file: "dev\/"/, archiveOf(block({ name: 'dev/', type: '5' }, 'data'), file('a'))],
  // they are copied to each entry that has its own
  [/more than 1000 attributes/, archiveOf(block({ type: 'g' }, Array.from({ length: 1001 }, (_, i) => `9 k${1000 + i}=\n`).join('')), pax('a=b'), file('a'))],
  [/header is too long|max size/, archiveOf(block({ name: 'l', type: 'L' }, Buffer.alloc(300_000, 'n')), file('a'))],
  [/header is too long|max size/, archiveOf(block({ name: 'l', type: 'x', size: '77777777777' }), Buffer.alloc(400_000, 'n'))],
  [/max size/, archiveOf(block({ name: 'l', type: 'g', size: '77777777777' }))]
]

test('what is unsafe is refused, each in one line, and nothing gets out', async t => {
  for (const [says, bytes] of HOSTILE) {
    const { error } = await unpack(t, bytes)
    t.equal(error?.code, 'BW_ERR_ROOT', `${String(says)}: ${error?.message}`)
    t.match(error?.message ?? '', says)
    t.match(error?.message ?? '', /^The root of the task [^\n]*; nothing of it is used\. Ask its author to correct it\.$/)
  }
})

test('it stops at its limits', async t => {
  const zeros = block({ name: 'zeros' }, Buffer.alloc(1_000_000))
  const many = archiveOf(...Array.from({ length: 100 }, (_, i) => file(`d${i}/f`)))
  for (const [says, limits, bytes] of [
    [/more than 999999 bytes, unpacked/, { bytes: 999_999 }, archiveOf(zeros)],
    [/more than 99 bytes, unpacked/, { bytes: 99 }, many],
    [/more than 1000 bytes, unpacked/, { bytes: 1000 }, archiveOf(block({ size: '77777777777' }))],
    [/more than 50 times as large as its archive/, { ratio: 50, slackBytes: 1000 }, gzipSync(archiveOf(zeros))],
    [/more than 99 files/, { entries: 99 }, many],
    [/names of more than 50 bytes/, { nameBytes: 50 }, many],
    // each of its folders takes a block of the disk, and its path memory
    [/more than 9999 bytes, unpacked/, { bytes: 9999 }, archiveOf(file('a/b/c/f'))],
    [/more than 1 times as large/, { ratio: 1, slackBytes: 1000 }, gzipSync(archiveOf(file('a/b/c/f')))],
    [/names of more than 20 bytes/, { nameBytes: 20 }, archiveOf(file('aa/b/c/d/e/f'))]
  ] as Array<[RegExp, Partial<RootLimits>, Uint8Array]>) {
    const { error, at } = await unpack(t, bytes, limits)
    t.equal(error?.code, 'bytes' in limits ? 'BW_ERR_INPUT_LIMIT' : 'BW_ERR_ROOT')
    t.match(error?.message ?? '', says)
    t.notOk(existsSync(path.join(at, 'zeros')) && statSync(path.join(at, 'zeros')).size === 1_000_000, 'before all is there')
  }
  t.equal((await unpack(t, gzipSync(archiveOf(zeros)), { bytes: 1_000_000, slackBytes: 1_000_000 })).error, null, 'within them')
})

test('it can be given up', async t => {
  const { error } = await unpack(t, await tarOf(SYSTEM.slice(0, 3)), {}, AbortSignal.abort(new Error('enough')))
  t.equal(error?.message, 'enough')
})
