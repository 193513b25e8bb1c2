// A root is unpacked once, whoever asks for it, and is used only when all of it is there.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { InputCache } from '../../lib/inputs/cache.ts'
import { ROOT_LIMITS } from '../../lib/inputs/roots/archive.ts'
import { openRoot } from '../../lib/inputs/roots/root-cache.ts'
import type { OpenRoot } from '../../lib/inputs/roots/root-cache.ts'
import { createFolder } from '../helpers/disk.ts'
import { tarOf } from '../helpers/tars.ts'

const infoHash = 'ab'.repeat(20)

async function archiveIn (folder: string, files = 3, bytes = 10): Promise<string> {
  const archive = path.join(folder, 'archive.tar')
  writeFileSync(archive, await tarOf(Array.from({ length: files }, (_, i) => ({ name: `f${i}`, data: Buffer.alloc(bytes, 1) }))))
  return archive
}

async function open (folder: string, archive: string, signal?: AbortSignal): Promise<OpenRoot> {
  return openRoot({
    folder,
    infoHash,
    archive: () => createReadStream(archive),
    limits: ROOT_LIMITS,
    ...(signal !== undefined && { signal })
  })
}

test('many at once share one, and keep it', async t => {
  const folder = createFolder(t)
  const archive = await archiveIn(folder)
  const roots = await Promise.all(Array.from({ length: 5 }, async () => open(folder, archive)))
  const [root] = roots as [OpenRoot]
  t.same(new Set(roots.map(each => each.path)).size, 1)
  const { ino } = statSync(root.path)
  for (const each of roots.slice(1)) each.close()
  writeFileSync(archive, 'another')
  const again = await open(folder, archive)
  t.equal(statSync(again.path).ino, ino, 'it is not unpacked again')
  again.close()
  await new InputCache({ folder, maxBytes: 0 }).trim()
  t.ok(existsSync(path.join(root.path, 'f2')), 'what is in use stays')
  root.close()
  await new InputCache({ folder, maxBytes: 1000 }).trim()
  t.ok(existsSync(root.path), 'what has room stays')
  await new InputCache({ folder, maxBytes: 10 }).trim()
  t.same(readdirSync(path.join(folder, 'roots')), [], 'what nobody uses goes')
})

test('what is not whole is not used', async t => {
  const folder = createFolder(t)
  const archive = await archiveIn(folder)
  const at = path.join(folder, 'roots', infoHash)
  const first = await open(folder, archive)
  first.close()
  const state = path.join(at, 'state')
  t.same(JSON.parse(readFileSync(state, 'utf8')).bytes, 30)
  // as another start of the system would find it
  writeFileSync(state, JSON.stringify({ bytes: 30, boot: 'another' }))
  writeFileSync(path.join(at, 'root', 'stray'), '')
  mkdirSync(path.join(at, 'draft'))
  const second = await open(folder, archive)
  t.notOk(existsSync(path.join(second.path, 'stray')), 'it was unpacked again')
  t.notOk(existsSync(path.join(at, 'draft')))
  second.close()
  writeFileSync(archive, 'no archive')
  writeFileSync(state, '')
  await open(folder, archive).then(() => { t.fail('used') }, ({ code }: { code: string }) => { t.equal(code, 'BW_ERR_ROOT') })
  t.same(readdirSync(at).filter(name => name !== 'state'), [], 'nothing is left')
  await open(folder, archive, AbortSignal.abort(new Error('enough'))).then(() => { t.fail('used') }, ({ message }: Error) => { t.equal(message, 'enough') })
})

test('a process that dies while it unpacks leaves nothing that is used', async t => {
  const folder = createFolder(t)
  const archive = await archiveIn(folder, 2000, 20_000)
  const child = fork(fileURLToPath(new URL('../fixtures/unpack.ts', import.meta.url)), [folder, infoHash, archive])
  t.teardown(() => child.kill('SIGKILL'))
  const draft = path.join(folder, 'roots', infoHash, 'draft')
  while (!existsSync(draft) || readdirSync(draft).length < 10) await setTimeout(1)
  child.kill('SIGSTOP')
  t.notOk(existsSync(path.join(folder, 'roots', infoHash, 'root')), 'it has no name yet')
  const waiting = open(folder, archive)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const root = await waiting
  t.equal(readdirSync(root.path).filter(name => name.startsWith('f')).length, 2000, 'who waited unpacks all of it')
  t.notOk(existsSync(draft))
  root.close()
})
