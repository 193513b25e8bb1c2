import type { KeyObject } from 'node:crypto'
import { chmodSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { keepPeerKey, readPeerKey } from '../../lib/config/peer-key.ts'
import { hexOf } from '../../lib/base/digest.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

/** As a task does whose folder is ours. */
async function openPeerKey (file: string): Promise<KeyObject> {
  const { key, isNew } = await readPeerKey(file)
  if (isNew) await keepPeerKey(file, key)
  return key
}

test('a peer key is made once, for its owner alone', async t => {
  const folder = createFolder(t)
  const file = path.join(folder, 'peer.key')
  t.ok((await readPeerKey(file)).isNew)
  t.deepEqual(readdirSync(folder), [], 'reading writes nothing')
  const key = hexOf(publicKeyOf(await openPeerKey(file)))
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.deepEqual(readdirSync(folder), ['peer.key'], 'and nothing else')
  t.equal(hexOf(publicKeyOf(await openPeerKey(file))), key, 'the same after a restart')
  t.notEqual(hexOf(publicKeyOf(await openPeerKey(path.join(folder, 'other.key')))), key, 'another one for another task')
  t.end()
})

test('what is left of a crash is no obstacle', async t => {
  const folder = createFolder(t)
  const file = path.join(folder, 'peer.key')
  writeFileSync(`${file}.${process.pid}.tmp`, 'half a key')
  const key = hexOf(publicKeyOf(await openPeerKey(file)))
  t.equal(hexOf(publicKeyOf(await openPeerKey(file))), key)
  t.end()
})

test('peer keys that are refused', async t => {
  const folder = createFolder(t)
  const file = path.join(folder, 'peer.key')
  await openPeerKey(file)
  const pem = readFileSync(file, 'utf8')
  const refuse = async (what: string, code: string): Promise<void> => {
    t.equal((await rejection(openPeerKey(file))).code, code, what)
  }
  for (const mode of [0o640, 0o604, 0o660, 0o602]) {
    chmodSync(file, mode)
    await refuse(`mode ${mode.toString(8)}`, 'BW_ERR_KEY_FILE')
  }
  chmodSync(file, 0o600)
  for (const damaged of ['', pem.slice(0, 60), 'x'.repeat(100)]) {
    writeFileSync(file, damaged)
    await refuse(`${damaged.length} bytes that are no key`, 'BW_ERR_KEY')
  }
  t.equal(readFileSync(file, 'utf8').length, 100, 'and it is not replaced')
  const link = path.join(folder, 'link.key')
  writeFileSync(file, pem)
  symlinkSync(file, link)
  t.equal((await rejection(openPeerKey(link))).code, 'BW_ERR_KEY_FILE', 'a symbolic link')
  t.equal((await rejection(openPeerKey(path.join(folder, 'none', 'peer.key')))).code, 'BW_ERR_OUTPUT_FOLDER', 'no folder')
  t.end()
})
