// What other BitTorrent clients get of a task: real ones, in a network of their own.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent } from '../helpers/cli.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const CREATE = ['create', '--no-try', '--piece-length', '64K', '--command', 'seq $((PIECE_IDX*9000)) $((PIECE_IDX*9000+8999))']

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

/**
 * Two peers compute a task together; a third process seals it, one peer by its flag and the other since it sees the
 * seal; then others fetch it. $@: flags of create.
 */
const SCRIPT = `
set -e
bitworker () { $BITWORKER "$@"; }
ip link set lo up
ip addr add 10.99.0.1/32 dev lo
ip addr add 10.99.0.2/32 dev lo
offline='--no-dht --no-lsd --no-nat --no-utp'
trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT
$BITWORKER tracker --host 10.99.0.1 --port 8000 --dht-port 0 &
until curl -sf http://10.99.0.1:8000/stats.json; do sleep 0.1; done
tracker=http://10.99.0.1:8000/announce
bitworker create --name set --file a/one.txt:3 --file two.txt:2 --announce $tracker "\${@}"
$BITWORKER run set.bitworker --yes -o a $offline --json > a.json &
$BITWORKER run set.bitworker --yes -o b $offline --json --seal > b.json &
until grep -q '"event":"sealed"' b.json && grep -q '"event":"done"' a.json; do sleep 0.1; done
bitworker seal set.bitworker --dir a
until grep -q '"event":"sealed"' a.json; do sleep 0.1; done
until curl -sf http://10.99.0.1:8000/stats.json | grep '"peers":4'; do sleep 0.1; done
aria2c -q -d aria --seed-time=0 --enable-dht=false --bt-enable-lpd=false --enable-peer-exchange=false set.torrent
# it knows one peer of an address, and finds itself there
mkdir transmission config
echo '{"bind-address-ipv4":"10.99.0.2","dht-enabled":false,"lpd-enabled":false,"utp-enabled":false}' > config/settings.json
printf '#!/bin/sh\\ntouch "%s/complete"\\n' "$PWD" > finish
chmod +x finish
transmission-cli -g "$PWD/config" -w "$PWD/transmission" -f "$PWD/finish" -M -p 7009 set.torrent > transmission.log 2>&1 &
until [ -e complete ]; do sleep 0.1; done
`

test('aria2 and transmission fetch a sealed task from its peers', async t => {
  const { dir } = await workspace(t)
  const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--net', '--user', '--map-root-user']
  const { status, stdout, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-c', SCRIPT, 'script', ...CREATE.slice(1)], {
    cwd: dir,
    encoding: 'utf8',
    timeout: 240_000,
    env: { PATH: process.env['PATH'] ?? '', HOME: dir, BITWORKER: `${process.execPath} ${MAIN}` }
  })
  t.equal(status, 0, 'all goes well')
  if (status !== 0) t.comment(`${stdout}\n${stderr}`)
  const read = (...names: string[]): Promise<Buffer> => readFile(path.join(dir, ...names))
  const events = async (name: string): Promise<JsonEvent[]> =>
    (await read(name)).toString().trim().split('\n').map(line => JSON.parse(line) as JsonEvent)
  const infoHashes = await Promise.all(['a.json', 'b.json'].map(async name =>
    (await events(name)).find(({ event }) => event === 'sealed')?.['infoHash']))
  t.equal(infoHashes[0], infoHashes[1], 'both peers have sealed the same')
  t.match(stdout, new RegExp(`info-hash  ${String(infoHashes[0])}`), 'and so has the command')
  for (const file of ['set/a/one.txt', 'set/two.txt']) {
    const original = sha1(await read('a', file))
    for (const folder of ['b', 'aria', 'transmission']) t.equal(sha1(await read(folder, file)), original, `${folder}: ${file}`)
  }
})

test('seal', async t => {
  const { dir, run } = await workspace(t)
  t.equal((await run([...CREATE, '--name', 'out.txt', '--parts', '2'])).code, 0)
  const magnet = /magnet:\S+/.exec((await run(['info', 'out.txt.bitworker', '--json'])).stdout)![0].replace(/".*/, '')
  for (const id of ['out.txt.bitworker', magnet]) {
    const early = await run(['seal', id, '--json'])
    t.equal(early.code, 2, 'not finished is a refusal')
    t.equal(early.events[0]?.['code'], 'BW_ERR_NOT_FINISHED')
    t.match(early.stderr, /^bitworker: .* is not finished here: .* contains nothing of it\. Run it to its end, or name .* with --dir\.\n$/, 'in one line')
  }
  const first = await run(['run', 'out.txt.bitworker', '-o', 'out', '--yes', '--exit', '--seal', '--json', ...OFFLINE])
  t.equal(first.code, 0, first.stderr)
  const told = first.events.find(({ event }) => event === 'sealed')!
  t.ok(told, 'run --seal seals before it leaves')
  const sealed = await run(['seal', 'out.txt.bitworker', '--dir', 'out', '--json'])
  t.same([sealed.code, sealed.events[0]?.['infoHash']], [0, told['infoHash']], 'the same torrent')
  t.equal((await run(['seal', 'out.txt.bitworker', '--dir', 'out'])).code, 0, 'twice is once')
  const file = await readFile(path.join(dir, 'out.txt.torrent'))
  for (const id of [magnet, magnet.slice(20, 60)]) {
    const again = await run(['seal', id, '--dir', 'out', '-o', '-'])
    t.equal(again.code, 0, again.stderr)
    t.equal(Buffer.compare(Buffer.from(again.stdout, 'latin1'), Buffer.from(file.toString('utf8'), 'latin1')), 0, 'from a link, to stdout')
  }
  const described = await run(['info', 'out.txt.torrent'])
  t.match(described.stdout, new RegExp(`an ordinary torrent with 1 file.*\\n.*${String(told['infoHash'])}`))
  const ordinary = await run(['seal', 'out.txt.torrent'])
  t.same([ordinary.code, /is an ordinary torrent/.test(ordinary.stderr)], [2, true])
  await writeFile(path.join(dir, 'taken.torrent'), 'mine')
  const taken = await run(['seal', 'out.txt.bitworker', '--dir', 'out', '-o', 'taken.torrent'])
  t.same([taken.code, /already exists.*--force/.test(taken.stderr)], [2, true])
  t.equal((await run(['seal', 'out.txt.bitworker', '--dir', 'out', '-o', 'taken.torrent', '--force'])).code, 0)
  t.same(await readFile(path.join(dir, 'taken.torrent')), file)

  await writeFile(path.join(dir, 'out', 'out.txt'), (await readFile(path.join(dir, 'out', 'out.txt'))).map(byte => byte ^ 1))
  const damaged = await run(['seal', 'out.txt.bitworker', '--dir', 'out', '-o', 'damaged.torrent'])
  t.same([damaged.code, /has changed since it was finished\. Move it away and run/.test(damaged.stderr)], [2, true])
  t.notOk(existsSync(path.join(dir, 'damaged.torrent')), 'nothing is written')
  t.notOk((await readdir(dir)).some(name => name.endsWith('.tmp')))
})
