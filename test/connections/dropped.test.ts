// Real processes in a network of their own that drops what is UDP, or what is TCP: a peer is reached all the same.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const FLAGS = [...OFFLINE.filter(flag => flag !== '--no-utp'), '--no-compute']
const PORT = '7001'

/** $1: what is dropped, $2: the port, $3: the task, $4: where to; then node, the program and its flags. */
const SCRIPT = `
set -e
dropped=$1 port=$2 task=$3 out=$4; shift 4
ip link set lo up
nft add table inet test
nft add chain inet test input '{ type filter hook input priority 0; }'
for protocol in $dropped; do nft add rule inet test input "$protocol" dport "$port" counter drop; done
"$@" "$SEEDED" -o seeder --port "$port" &
trap 'kill "$!"; wait' EXIT
until ss -Hlnt "sport = :$port" | grep -q .; do :; done
begin=$(date +%s%N)
timeout 25 "$@" "$task" -o "$out" --exit --peer "127.0.0.1:$port" >&2
echo $(( ($(date +%s%N) - begin) / 1000000 )) ms
nft list ruleset
`

test('peers behind a firewall that drops UDP, or TCP', async t => {
  const { dir, run } = await workspace(t)
  const created = await run([
    'create', '--name', 'n.txt', '--parts', '4', '--piece-length', '64', '--command', 'echo $PIECE_IDX', '--json'
  ])
  t.equal(created.code, 0, created.stderr)
  const magnet = String(created.events.find(({ event }) => event === 'created')?.['magnet'])
  t.match(magnet, /^magnet:/)
  t.equal((await run(['run', 'n.txt.bitworker', '-o', 'seeder', '--yes', '--exit', ...OFFLINE])).code, 0)
  const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--net', '--user', '--map-root-user']
  for (const [dropped, task] of [
    ['', 'n.txt.bitworker'], ['udp', 'n.txt.bitworker'], ['tcp', 'n.txt.bitworker'], ['udp', magnet], ['tcp', magnet]
  ] as const) {
    const args = [
      ...namespaces,
      'bash',
      '-c',
      SCRIPT,
      'script',
      dropped,
      PORT,
      task,
      `out-${dropped}-${task === magnet}`,
      process.execPath,
      MAIN,
      'run',
      ...FLAGS
    ]
    const { status, stdout, stderr } = spawnSync('unshare', args, {
      cwd: dir,
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: process.env['PATH'] ?? '', HOME: dir, SEEDED: 'n.txt.bitworker' }
    })
    t.equal(
      status, 0, `${dropped === '' ? 'nothing' : dropped} is dropped, ${task === magnet ? 'a link' : 'a task file'}`
    )
    t.comment(/\d+ ms/.exec(stdout)?.[0] ?? 'never')
    if (status !== 0) t.comment(`${stdout}\n${stderr}`)
    if (dropped !== '') t.match(stdout, new RegExp(`${dropped} dport ${PORT} counter packets`))
  }
})
