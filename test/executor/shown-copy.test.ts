// Copies of what every command sees of /etc and /var: the same, without what nobody may see.
import { spawnSync } from 'node:child_process'
import {
  chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, utimesSync,
  writeFileSync
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { isLeft, ownPrefix } from '../../lib/executor/process/own-name.ts'
import { copyOf, shownMounts } from '../../lib/executor/sandbox/shown-copy.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'

const modeOf = (file: string): number => statSync(file).mode & 0o777
const folderOf = (): string => path.dirname(shownMounts().copies[0]!.path)

test('small files are copied, without hidden ones', t => {
  const [root, folder] = [createFolder(t), createFolder(t)]
  const at = (name: string): string => path.join(root, name)
  const put = (name: string, text = name, mode = 0o644): void => {
    mkdirSync(path.dirname(at(name)), { recursive: true })
    writeFileSync(at(name), text)
    chmodSync(at(name), mode)
    utimesSync(at(name), 1_000_000, 1_000_000)
  }
  put('etc/mime.types')
  put('etc/perl/run', '#!/bin/sh\n', 0o755)
  put('etc/perl/password', 'secret', 0o600)
  put('etc/perl/own/key', 'secret')
  symlinkSync('/usr/bin/perl', at('etc/perl/link'))
  symlinkSync('mime.types', at('etc/magic'))
  for (let i = 0; i < 101; i++) put(`etc/many/${i}`)
  put('var/lib/large', 'x'.repeat(2 ** 20 + 1))
  mkdirSync(at('etc/many/own'))
  const umask = process.umask(0o077)
  cleanUp(t, () => { process.umask(umask) })
  const { copies, others, hidden } = copyOf([
    { path: at('etc/mime.types'), hidden: [] },
    { path: at('etc/magic'), hidden: [] },
    { path: at('etc/perl'), hidden: [at('etc/perl/password'), at('etc/perl/own')] },
    { path: at('etc/many'), hidden: [at('etc/many/1'), at('etc/many/own')] },
    { path: at('var/lib/large'), hidden: [] },
    { path: at('etc/gone'), hidden: [] }
  ], folder)
  const copy = (name: string): string => path.join(folder, root, name)
  t.deepEqual(
    ['etc/mime.types', 'etc/magic', 'etc/perl/run', 'etc/perl/password'].map(name => readFileSync(copy(name), 'utf8')),
    ['etc/mime.types', 'etc/mime.types', '#!/bin/sh\n', '']
  )
  t.deepEqual([copy('etc/mime.types'), copy('etc/perl/run'), copy('etc/perl')].map(modeOf), [0o644, 0o755, 0o755])
  t.equal(statSync(copy('etc/perl/run')).mtimeMs, 1_000_000_000, 'as old as it is')
  t.equal(readlinkSync(copy('etc/perl/link')), '/usr/bin/perl', 'links lead where they did')
  t.deepEqual(readdirSync(copy('etc/perl/own')), [], 'nothing of a hidden folder')
  t.deepEqual(others, [at('etc/many'), at('var/lib/large')], 'what is not small is mounted')
  t.deepEqual(hidden, [{ path: at('etc/many/1'), isFolder: false }, { path: at('etc/many/own'), isFolder: true }])
  t.deepEqual(
    [readdirSync(copy('etc/many')), readFileSync(copy('var/lib/large'), 'utf8')], [[], ''], 'and has its place'
  )
  t.deepEqual(
    copies.filter(({ at: to }) => to === '/etc').map(({ path: from }) => from), [path.join(folder, 'etc')]
  )
  t.match(readFileSync(path.join(folder, 'etc/passwd'), 'utf8'), /^root:.*\nnobody:.*\n$/)
  t.equal(readlinkSync(path.join(folder, 'etc/localtime')), '/usr/share/zoneinfo/Etc/UTC')
  t.deepEqual([folder, path.join(folder, 'etc')].map(modeOf), [0o711, 0o755], 'whoever runs commands can get there')
  t.end()
})

test('the copies of this machine are made once, and again if somebody has removed them', t => {
  const first = folderOf()
  t.equal(folderOf(), first)
  // of a process that was killed, and of one that lives
  const left = path.join(path.dirname(first), ownPrefix().replace(`-${process.pid}-`, '-4194305-') + 'abc')
  for (const at of [left, `${left}/etc`]) mkdirSync(at)
  cleanUp(t, () => { rmSync(left, { recursive: true, force: true }) })
  t.deepEqual([left, first].map(at => isLeft(path.basename(at))), [true, false])
  rmSync(first, { recursive: true })
  const second = folderOf()
  t.notEqual(second, first)
  t.ok(existsSync(path.join(second, 'etc/passwd')))
  t.notOk(existsSync(left), 'what a killed process left is removed')
  t.end()
})

test('the copies end with the process', t => {
  const module = new URL('../../lib/executor/sandbox/shown-copy.ts', import.meta.url).href
  const script = `import { shownMounts } from ${JSON.stringify(module)}; console.log(shownMounts().copies[0].path)`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  t.match(stdout, /\/etc\n$/)
  t.notOk(existsSync(path.dirname(stdout.trim())))
  t.end()
})
