// What is known of peer keys survives a kill, and a sample that fails ends with a code of its own: real processes.
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'tape'
import type { Test } from 'tape'
import { BRANCH_BYTES } from '../../extensions/ut_bitworker/constants.ts'
import { packKept, readKept } from '../../extensions/ut_bitworker/attestation-records.ts'
import { hexOf } from '../../lib/base/digest.ts'
import { readSigningKey } from '../../lib/config/trust-files.ts'
import { VerificationFiles } from '../../lib/store/verification-files.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import { parseTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { attest, signerOf } from '../../lib/trust/attest.ts'
import type { Saved } from '../../lib/verification/saved.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { close, openStore, put } from '../helpers/stores.ts'
import { portOf } from '../helpers/runs.ts'

interface Ledger { level: number, keys: Array<{ key: string, state: string }> }

/** Takes part in the task; the name is that of the output folder. */
function taking (name: string, ...more: string[]): string[] {
  return ['run', 'x.bitworker', '--yes', '--json', '-j', '1', '-o', name, '--verify', 'audit', ...more, ...OFFLINE]
}

/** What a peer has kept in its folder, to be written here. */
async function kept (t: Test, task: Task, folder: string) {
  await mkdir(folder)
  const store = await openStore(t, task, folder)
  const files = VerificationFiles.open(folder, task, BRANCH_BYTES)
  return {
    store,
    files,
    close: async () => {
      files.close()
      await close(store)
    }
  }
}

test('after kill -9, a peer believes what it believed, and attests no second result', async t => {
  const { dir, run, start } = await workspace(t)
  await writeFile(path.join(dir, 'lie'), '')
  await run([
    'create', '--no-try', '--name', 'x', '--parts', '20', '--command',
    'if [ -e lie ]; then echo 999; else sleep 0.3; echo $((PIECE_IDX*PIECE_IDX)); fi'
  ])
  const task = parseTask(await readFile(path.join(dir, 'x.bitworker')))
  const liar = start(taking('s', '--bind', 'lie'))
  await liar.event('done')
  const first = start(taking('a', '--peer', await portOf(liar)))
  const { key: excluded } = await first.event('excluded')
  const folder = path.join(dir, 'a')
  const hidden = path.join(folder, '.bitworker', task.infoHash)
  let ledger: Ledger | null = null
  while (ledger?.keys.some(({ key, state }) => key === excluded && state === 'excluded') !== true) {
    await setTimeout(50)
    ledger = JSON.parse(await readFile(path.join(hidden, 'ledger'), 'utf8').catch(() => 'null')) as Ledger | null
  }
  first.kill('SIGKILL')
  await first.ended
  const own = hexOf(publicKeyOf(await readSigningKey(VerificationFiles.peerKey(folder, task))))
  const attested = (): Map<number, Set<string>> => {
    const files = VerificationFiles.open(folder, task, BRANCH_BYTES)
    const said = new Map<number, Set<string>>()
    for (const bytes of files.statements.all()) {
      const { index, key, digest } = readKept(bytes, task)!
      if (key === own) said.set(index, (said.get(index) ?? new Set()).add(hexOf(digest)))
    }
    files.close()
    return said
  }
  const before = attested()
  t.ok(before.size > 0, `${before.size} pieces are attested`)
  // what it has computed is gone, and it computes something else from now on
  for (const part of await readdir(path.join(hidden, 'p'))) await rm(path.join(hidden, 'p', part))
  const second = start(taking('a', '--bind', 'lie', '--exit'))
  await second.event('done')
  const { excluded: stillExcluded, level } = await second.event('verification')
  t.same([stillExcluded, level], [ledger.keys.filter(({ state }) => state === 'excluded').length, ledger.level])
  await second.ended
  const after = attested()
  t.ok([...after.values()].every(results => results.size === 1), 'one result of each piece')
  t.ok([...before].every(([index, results]) => [...results].every(each => after.get(index)?.has(each))), 'the first one')
  t.equal(hexOf(publicKeyOf(await readSigningKey(VerificationFiles.peerKey(folder, task)))), own, 'by the same key')
})

test('a sample that finds too many wrong results three times: exit 3, and what to do', async t => {
  const pieces = 120
  const { dir, run, start } = await workspace(t)
  await run(['create', '--no-try', '--name', 'x', '--parts', String(pieces), '--command', 'sleep 0.2; echo $PIECE_IDX'])
  const task = parseTask(await readFile(path.join(dir, 'x.bitworker')))
  // each piece is the lie of another key that was right before: whoever is found out, the others are still believed
  const liars = await kept(t, task, path.join(dir, 's'))
  const keys: string[] = []
  for (let index = 0; index < pieces; index++) {
    const signer = signerOf(generateKeyPairSync('ed25519').privateKey)
    const record = attest(task.digest, { index, ...await put(liars.store, index, 'a lie\n'), kind: 0, basis: null }, signer)
    liars.files.statements.add(packKept(record))
    keys.push(record.key)
  }
  await liars.close()
  const readers = await kept(t, task, path.join(dir, 'a'))
  const none = '0'.repeat(pieces / 4)
  await readers.files.writeLedger({
    version: 1,
    level: 0,
    keys: keys.map(key => ({ key, state: 'ok', right: 5, proven: 5, wrongAt: [] })),
    own: none,
    verified: none,
    checks: { items: 0, checked: 0, seconds: 0, drawn: 0, wrong: 0 },
    sample: null
  } satisfies Saved)
  await readers.close()
  const liar = start(['run', 'x.bitworker', '--no-compute', '--json', '-o', 's', '--verify', 'audit', ...OFFLINE])
  await liar.event('done')
  const reader = await run([
    'run', 'x.bitworker', '--yes', '--json', '-o', 'a', '--verify', 'audit=50%', '--exit', '--peer', await portOf(liar), ...OFFLINE
  ])
  t.equal(reader.code, 3, reader.stderr)
  const { sample } = reader.events.find(({ event }) => event === 'verification') as unknown as { sample: { state: string, round: number } }
  t.same([sample.state, sample.round], ['failed', 3])
  t.match(reader.stderr, /^of a sample of \d+ \d+ were wrong: at most \d+\.\d % of what others computed are \(95 %\)$/m)
  t.match(reader.stderr, /^The sample found too many wrong results\. To be sure, run it again with --verify trust=KEY or --verify all\.$/m)
  t.same(reader.events.at(-1), { event: 'stopped', exitCode: 3 })
})
