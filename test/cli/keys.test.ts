// Keys, and signing with them, on the command line.
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { parseTask } from '../../lib/task/task.ts'
import { workspace } from '../helpers/cli.ts'
import { author, CONFIG, json, refused, SQUARES } from '../helpers/cli-author.ts'

test('keygen makes a key that only its owner can read, and never overwrites one', async t => {
  const files = await author(t)
  const { run, at, key } = files
  const modes = await Promise.all(
    [CONFIG, `${CONFIG}/signing.key`, `${CONFIG}/signing.pub`].map(async name =>
      ((await stat(at(name))).mode & 0o777).toString(8)
    )
  )
  t.deepEqual(modes, ['700', '600', '644'])
  t.deepEqual((await readdir(at(CONFIG))).sort(), ['signing.key', 'signing.pub'], 'nothing else is left')
  t.equal(await readFile(at(`${CONFIG}/signing.pub`), 'utf8'), `bitworker-ed25519 ${key}\n`)
  const secret = await readFile(at(`${CONFIG}/signing.key`), 'utf8')
  await refused(t, files, ['keygen'], 'BW_ERR_FILE_EXISTS', /signing\.key: A key already exists.*--force/)
  t.equal(await readFile(at(`${CONFIG}/signing.key`), 'utf8'), secret)
  t.equal((await run(['keygen', '--force'])).code, 0)
  t.notEqual(await readFile(at(`${CONFIG}/signing.key`), 'utf8'), secret, 'unless told to')
  const { stdout } = await run(['keygen', '-o', 'other.key', '--label', 'Ada Lovelace'])
  t.notOk(stdout.includes(secret.split('\n')[1]!), 'shows no secret')
  t.match(await readFile(at('other.pub'), 'utf8'), /^bitworker-ed25519 [0-9a-f]{64} Ada Lovelace\n$/)
  await refused(t, files, ['keygen', '-o', 'x.key', '--label', 'a\u001bb'], 'BW_ERR_USAGE', /--label/)
})

test('keys are in XDG_CONFIG_HOME', async t => {
  const { dir, run } = await workspace(t)
  t.equal((await run(['keygen'], { env: { XDG_CONFIG_HOME: path.join(dir, 'xdg') } })).code, 0)
  t.ok(existsSync(path.join(dir, 'xdg/bitworker/signing.key')))
  t.equal((await run(['keygen'], { env: { XDG_CONFIG_HOME: 'relative' } })).code, 0)
  t.ok(existsSync(path.join(dir, CONFIG, 'signing.key')), 'a relative one does not count')
})

test('secret keys that are not safe, or none, are not used', async t => {
  const files = await author(t)
  const { run, at } = files
  await run(SQUARES)
  const sign = ['sign', 'squares.bitworker']
  const secret = at(`${CONFIG}/signing.key`)
  for (const mode of [0o640, 0o604, 0o660, 0o622]) {
    await chmod(secret, mode)
    await refused(t, files, sign, 'BW_ERR_KEY_FILE', /signing\.key: Others can (read|change) this file\. Run chmod 600/)
  }
  await chmod(secret, 0o600)
  await symlink(secret, at('link.key'))
  await refused(t, files, [...sign, '--key', 'link.key'], 'BW_ERR_KEY_FILE', /link\.key: This is a symbolic link/)
  await refused(t, files, [...sign, '--key', 'none.key'], 'BW_ERR_KEY_FILE', /none\.key: No such file\. .*keygen/)
  await mkdir(at('folder.key'))
  await refused(t, files, [...sign, '--key', 'folder.key'], 'BW_ERR_KEY_FILE', /folder\.key: This is not a file/)
  await writeFile(at('text.key'), 'hello', { mode: 0o600 })
  await refused(t, files, [...sign, '--key', 'text.key'], 'BW_ERR_KEY', /text\.key: The key is not a secret key/)
  t.deepEqual(parseTask(await readFile(at('squares.bitworker'))).signatures, [], 'nothing was signed')
  t.equal((await run(sign)).code, 0, 'the good one is')
})

test('sign puts a signature into the file, in its place or elsewhere', async t => {
  const files = await author(t)
  const { run, at, key } = files
  await run(SQUARES)
  await chmod(at('squares.bitworker'), 0o640)
  const { event, file, signer, magnet } = await json(files, ['sign', 'squares.bitworker', '--label', 'Ada'])
  t.deepEqual([event, file, signer], ['signed', 'squares.bitworker', key])
  t.match(String(magnet), new RegExp(`&x\\.pk=${key}&x\\.sig=[\\w-]+$`))
  const task = parseTask(await readFile(at('squares.bitworker')))
  t.deepEqual(task.signatures.map(({ publicKey, label }) => [publicKey, label]), [[key, 'Ada']])
  t.equal((await stat(at('squares.bitworker'))).mode & 0o777, 0o640, 'its permissions stay')
  await run(['keygen', '-o', 'ben.key'])
  await json(files, ['sign', 'squares.bitworker', '--key', 'ben.key', '-o', 'both.bitworker'])
  t.equal(parseTask(await readFile(at('both.bitworker'))).signatures.length, 2, 'a second signer')
  t.equal(parseTask(await readFile(at('squares.bitworker'))).signatures.length, 1)
  await writeFile(at('precious'), 'x')
  await refused(
    t, files, ['sign', 'squares.bitworker', '-o', 'precious'], 'BW_ERR_FILE_EXISTS', /precious already exists/
  )
  await refused(t, files, ['sign', String(magnet)], 'BW_ERR_USAGE', /Only a task file can be signed/)
  await refused(
    t,
    files,
    ['create', '--name', 'x', '--parts', '1', '--command', 'true', '--key', 'ben.key'],
    'BW_ERR_USAGE',
    /--sign/
  )
  const created = await json(files, [
    'create', '--name', 'x', '--parts', '1', '--command', 'true', '--sign', '--key', 'ben.key'
  ])
  t.equal(parseTask(await readFile(at('x.bitworker'))).signatures[0]?.publicKey, created['signer'], 'create --sign')
})
