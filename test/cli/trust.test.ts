// Signed tasks and the trust list on the command line.
import { existsSync } from 'node:fs'
import { chmod, copyFile, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { stripVTControlCharacters } from 'node:util'
import test from 'tape'
import { parseTask } from '../../lib/task/task.ts'
import { OFFLINE } from '../helpers/cli.ts'
import type { Running, Workspace } from '../helpers/cli.ts'
import { author, CONFIG, json, refused, RUN, SQUARES } from '../helpers/cli-author.ts'

test('trust add, list, remove', async t => {
  const files = await author(t)
  const { run, at, key } = files
  t.match((await run(['trust', 'list'])).stdout, /^The trust list is empty/)
  const added = await json(files, [
    'trust',
    'add',
    key,
    '--label',
    'Ada',
    '--expires',
    '2099-01-31',
    '--max-hours',
    '5',
    '--max-size',
    '1G',
    '--max-input',
    '3G',
    '--max-memory',
    '2G',
    '--max-scratch',
    '1M',
    '--gpu'
  ])
  const expected = {
    key,
    label: 'Ada',
    expires: '2099-01-31T00:00:00.000Z',
    maxHours: 5,
    maxBytes: 2 ** 30,
    maxInput: 3 * 2 ** 30,
    maxMemory: 2 ** 31,
    maxScratch: 2 ** 20,
    gpu: true
  }
  t.deepEqual(added, { event: 'added', ...expected })
  t.deepEqual(await json(files, ['trust', 'list']), { event: 'author', ...expected })
  t.equal((await stat(at(`${CONFIG}/trust.json`))).mode & 0o777, 0o600)
  await run(['trust', 'add', `${CONFIG}/signing.pub`, '--label', 'Ada', '--deny'])
  const { stdout } = await run(['trust', 'list'])
  t.equal(stdout, `${key}  Ada, denied, so its tasks do not run\n`, 'once, with what was said last')
  t.deepEqual(await json(files, ['trust', 'remove', 'Ada']), { event: 'removed', key, label: 'Ada', denied: true })
  t.deepEqual((await run(['trust', 'list', '--json'])).events, [])
  await refused(t, files, ['trust', 'remove', key], 'BW_ERR_NOT_LISTED', /no such key/)
  await refused(t, files, ['trust', 'add', 'nothing.pub'], 'BW_ERR_NOT_FOUND', /nothing\.pub: This is neither a public key/)
  await refused(
    t, files, ['trust', 'add', `${CONFIG}/signing.key`], 'BW_ERR_KEY',
    /signing\.key: This is not a public key but a secret one\. Name the public key, .*\/signing\.pub\./
  )
  await refused(t, files, ['trust', 'add', `01${'0'.repeat(62)}`], 'BW_ERR_KEY', /one of the eight/)
  await refused(t, files, ['trust', 'add', key, '--expires', '2027-02-31'], 'BW_ERR_USAGE', /--expires/)
  await refused(t, files, ['trust', 'add', key, '--deny', '--max-hours', '1'], 'BW_ERR_USAGE', /--deny/)
})

test('a trust list that others can write, or that cannot be read, is refused', async t => {
  const files = await author(t, { signed: true })
  const { run, at, key } = files
  await run(['trust', 'add', key])
  await chmod(at(`${CONFIG}/trust.json`), 0o620)
  await refused(t, files, RUN, 'BW_ERR_TRUST_STORE', /trust\.json: Others can change this file\. .*chmod 600/)
  await chmod(at(`${CONFIG}/trust.json`), 0o644)
  await writeFile(at(`${CONFIG}/trust.json`), '{')
  for (const args of [RUN, ['info', 'squares.bitworker'], ['trust', 'list'], ['trust', 'add', key]]) {
    await refused(t, files, args, 'BW_ERR_TRUST_STORE', /not JSON/)
  }
  t.equal(await readFile(at(`${CONFIG}/trust.json`), 'utf8'), '{', 'and it is left as it is')
  t.notOk(existsSync(at('squares')), 'nothing ran')
})

test('a task by a trusted key starts without a question, within the scope', async t => {
  const files = await author(t, { signed: true })
  const { run, at, key } = files
  await refused(t, files, RUN, 'BW_ERR_CONSENT', /no terminal/)
  for (const scope of [['--max-size', '4095'], ['--expires', '2020-01-01'], ['--max-memory', '1G']]) {
    await run(['trust', 'add', key, ...scope])
    await refused(t, files, RUN, 'BW_ERR_CONSENT', /no terminal/)
  }
  await run(['trust', 'add', key, '--label', 'Ada', '--max-size', '4K', '--max-hours', '1'])
  const { code, events, stderr } = await run([...RUN, '--json'])
  t.equal(code, 0, stderr)
  t.match(stderr, /Signed by Ada, whom you trust, so it starts without asking/)
  const { trust, signers } = events.find(({ event }) => event === 'task') ?? {} as Record<string, unknown>
  t.deepEqual(
    [
      trust,
      (signers as Array<Record<string, unknown>>).map(signer => [
        signer['key'], signer['standing'], signer['label'], signer['claimed']
      ])
    ],
    ['trusted', [[key, 'trusted', 'Ada', 'Ada']]]
  )
  t.equal(await readFile(at('squares'), 'utf8'), '0\n1\n4\n9\n')
  await run(['trust', 'remove', key])
  await refused(t, files, [...RUN, '-o', 'again'], 'BW_ERR_CONSENT', /no terminal/)
})

test('a denied key never runs, not even with --yes', async t => {
  const files = await author(t, { signed: true })
  const { run, at, key } = files
  await run(['trust', 'add', key, '--deny', '--label', 'Eve'])
  await refused(
    t, files, [...RUN, '--yes'], 'BW_ERR_DENIED', /signed by Eve, whose tasks you denied\. .*trust remove/
  )
  t.notOk(existsSync(at('squares')))
  t.match((await run(['info', 'squares.bitworker'])).stdout, /Eve: you denied this key/, 'info still shows it')
})

test("the terminal shows who signed it, and separately the signer's own name", async t => {
  const files = await author(t)
  await files.run([...SQUARES, '--sign', '--label', 'Ada: you trust this key'])
  const run = files.start([...RUN, '--bind', 'squares.bitworker'], { terminal: true })
  await run.output(/Run this command on your machine\?/)
  run.stdin.write('n')
  const { code, stdout } = await run.ended
  t.equal(code, 2)
  const shown = stripVTControlCharacters(stdout).replaceAll('\r', '')
  t.match(
    shown,
    new RegExp(
      `signed by {3}${files.key}\n +you do not know this key\n {2}own name {4}│ Ada: you trust this key\n {2}command {5}│ echo \\$`
    )
  )
  t.match(shown, new RegExp(` it sees {5}${files.at('squares.bitworker')}\n`))
  t.match(
    shown, /piece size {2}at most 1 KiB, 4 KiB for all of them\n {2}time limit {2}1 min per piece, 4 min for all of them/
  )
})

test('a signed file that was changed is refused in one line', async t => {
  const files = await author(t, { signed: true })
  const { at, key } = files
  const bytes = await readFile(at('squares.bitworker'))
  await writeFile(
    at('bad.bitworker'), Buffer.from(bytes.toString('latin1').replace('PIECE_IDX*PIECE', 'PIECE_IDX+PIECE'), 'latin1')
  )
  for (const args of [['info'], ['run', '--yes', ...OFFLINE], ['sign']]) {
    const [command = '', ...rest] = args
    await refused(
      t,
      files,
      [command, 'bad.bitworker', ...rest],
      'BW_ERR_TASK_SIGNATURE',
      new RegExp(`^bitworker: bad\\.bitworker: The signature by ${key} is not valid \\(the task or`)
    )
  }
})

async function seeder (files: Workspace, args: string[]): Promise<{ peer: Running, flags: string[] }> {
  const peer = files.start(['run', 'squares.bitworker', '-o', 'seeder', '--json', ...args, ...OFFLINE])
  await peer.event('done')
  return { peer, flags: ['--peer', `127.0.0.1:${String((await peer.event('listening'))['port'])}`, ...OFFLINE] }
}

test('a magnet link brings the signature, and pins the signer', async t => {
  const files = await author(t, { signed: true })
  const { run, at, key } = files
  const { magnet, infoHash } = await json(files, ['info', 'squares.bitworker'])
  // the seeder itself has no signature
  await rename(at('squares.bitworker'), at('signed.bitworker'))
  await run(SQUARES)
  const { flags } = await seeder(files, ['--yes'])

  await run(['trust', 'add', key])
  const trusted = await run(['run', String(magnet), '-o', 'trusted', '--exit', '--json', ...flags])
  t.equal(trusted.code, 0, trusted.stderr)
  t.equal(await readFile(at('trusted/squares'), 'utf8'), '0\n1\n4\n9\n')
  const stored = await readFile(at(`trusted/.bitworker/${String(infoHash)}/task.bitworker`))
  t.equal(parseTask(stored).signatures[0]?.publicKey, key, 'it is kept with the task')

  const another = (key.startsWith('0') ? '1' : '0') + key.slice(1)
  const pinOnly = `magnet:?xt=urn:btih:${String(infoHash)}&x.pk=${key}`
  for (const [link, code, says] of [
    [pinOnly, 'BW_ERR_TASK_SIGNER', /promises a task signed by/],
    [`${String(magnet)}&x.pk=${another}`, 'BW_ERR_TASK_SIGNER', new RegExp(`promises a task signed by ${another}`)],
    [String(magnet).replace(/x\.sig=..../, 'x.sig=AAAA'), 'BW_ERR_TASK_SIGNATURE', /malformed x\.sig/]
  ] as const) {
    await refused(t, files, ['run', link, '-o', 'refused', '--yes', '--exit', ...flags], code, says)
    await refused(t, files, ['info', link, ...flags], code, says)
  }
  t.notOk(existsSync(at('refused/squares')))
  const plain = await json(files, ['info', `magnet:?xt=urn:btih:${String(infoHash)}`, ...flags])
  t.deepEqual([plain['trust'], plain['signers']], ['ask', []], 'a link without says nothing')
})

test('a task file of 2014 is converted, or joins its old swarm', async t => {
  const files = await author(t)
  const { run, at } = files
  await copyFile(new URL('../../fixtures/legacy-squares.rbw', import.meta.url), at('old.rbw'))
  const old = await json(files, ['info', 'old.rbw', '--legacy-swarm'])
  const converted = await json(files, ['info', 'old.rbw'])
  t.deepEqual([old['legacy'], converted['legacy'], converted['convertedFrom']], [true, false, old['infoHash']])
  t.notEqual(old['infoHash'], converted['infoHash'])
  t.match(
    (await run(['info', 'old.rbw'])).stdout,
    new RegExp(
      `converted {3}from a task file of 2014, whose info-hash ${String(old['infoHash'])} does not cover the command`
    )
  )

  for (const [flag, infoHash] of [[[], converted['infoHash']], [['--legacy-swarm'], old['infoHash']]] as const) {
    const out = `out${flag.length}`
    const { code, events, stderr } = await run([
      'run', 'old.rbw', '-o', out, '--yes', '--exit', '--json', ...flag, ...OFFLINE
    ])
    t.equal(code, 0, stderr)
    t.equal(events.find(({ event }) => event === 'task')?.['infoHash'], infoHash)
    t.equal(/Warning: .*2014.*--legacy-swarm/.test(stderr), flag.length === 0, 'a warning if it was converted')
    t.ok(existsSync(at(`${out}/.bitworker/${String(infoHash)}`)))
  }
  await refused(t, files, ['sign', 'old.rbw'], 'BW_ERR_USAGE', /-o NAME\.bitworker/)
  await json(files, ['sign', 'old.rbw', '-o', 'new.bitworker'])
  t.equal(parseTask(await readFile(at('new.bitworker'))).infoHash, converted['infoHash'])
})
