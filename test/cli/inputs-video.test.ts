/**
 * The first example of the paper, for real: a video that only its author has is encoded by four peers that have only
 * the magnet link; then other BitTorrent clients fetch it from them. In a network of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { workspace } from '../helpers/cli.ts'
import type { JsonEvent } from '../helpers/cli.ts'
import { probe } from '../helpers/tutorial.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const SECONDS = 60
const PEERS = ['a', 'b', 'c', 'd']

const SCRIPT = `
set -e
bitworker () { HOME=$PWD/$home $BITWORKER "$@"; }
# always in the background, in place of its shell: what is killed is the peer itself
# nothing is checked: a slice that is fetched for a check is not one of a piece that is computed
as () { home=$1; shift; HOME=$PWD/$home exec $BITWORKER run "$@" -o $home --json --verify off --no-dht --no-lsd --no-nat --no-utp > $home.json; }
ip link set lo up
ip addr add 10.99.0.1/32 dev lo
ip addr add 10.99.0.2/32 dev lo
trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT
mkdir scenes author a b c d
ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=5 -f lavfi -i sine=beep_factor=2 -t ${SECONDS} \\
  -c:v mpeg4 -q:v 2 -g 50 -c:a aac film.mp4
ffmpeg -v error -i film.mp4 -an -c copy -f segment -segment_time 10 -reset_timestamps 1 scenes/%03d.mkv
ffmpeg -v error -i film.mp4 -vn -c copy scenes/sound.mka
cat > encode.sh <<'EOF'
#!/bin/bash
case $INPUT in
  *.mka) ffmpeg -v error -i "$INPUT" -c copy -f matroska pipe:1 ;;
  *) ffmpeg -v error -i "$INPUT" -c:v mpeg4 -q:v 9 -threads 1 -f matroska pipe:1 ;;
esac
EOF
cat > join.sh <<'EOF'
set -- $PART_LIST
printf 'file %s\\n' "\${@:1:$#-1}" > scenes.txt
ffmpeg -v error -f concat -i scenes.txt -i "\${@: -1}" -c copy "$FILE"
EOF
home=.
$BITWORKER tracker --host 10.99.0.1 --port 8000 --dht-port 0 &
until curl -sf http://10.99.0.1:8000/stats.json > /dev/null; do sleep 0.1; done
home=author
bitworker create --name video.mp4 --script encode.sh --input-per-part scenes --input join.sh \\
  --complete-command 'bash join.sh' --piece-length 4M --need ffmpeg --announce http://10.99.0.1:8000/announce --no-try
link=$(bitworker info video.mp4.bitworker --json | grep -o 'magnet:[^"]*')
as author video.mp4.bitworker --no-compute &
for peer in a b c d; do as $peer "$link" --yes -j 1 --seal & done
for peer in a b c d; do until grep -q '"event":"sealed"' $peer.json; do sleep 0.2; done; done
home=a
bitworker seal "$link" --dir a -o video.torrent
# who made it is gone; the first answer of the tracker may come before it has heard of all peers
kill %2
aria2c -q -d aria --seed-time=0 --enable-dht=false --bt-enable-lpd=false --enable-peer-exchange=false \\
  --bt-tracker-interval=1 --bt-tracker=http://10.99.0.1:8000/announce video.torrent
# it knows one peer of an address, and finds itself there
mkdir transmission config
echo '{"bind-address-ipv4":"10.99.0.2","dht-enabled":false,"lpd-enabled":false,"utp-enabled":false}' > config/settings.json
printf '#!/bin/sh\\ntouch "%s/complete"\\n' "$PWD" > finish
chmod +x finish
transmission-cli -g "$PWD/config" -w "$PWD/transmission" -f "$PWD/finish" -M -p 7009 video.torrent > transmission.log 2>&1 &
until [ -e complete ]; do sleep 0.1; done
`

test('a video that only its author has', async t => {
  const { dir } = await workspace(t)
  const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--net', '--user', '--map-root-user']
  const { status, stdout, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-c', SCRIPT], {
    cwd: dir,
    encoding: 'utf8',
    timeout: 280_000,
    env: { PATH: process.env['PATH'] ?? '', HOME: dir, BITWORKER: `${process.execPath} ${MAIN}` }
  })
  const eventsOf = (peer: string): JsonEvent[] => readFileSync(path.join(dir, `${peer}.json`), 'utf8')
    .split('\n').slice(0, -1).map(line => JSON.parse(line) as JsonEvent)
  t.equal(status, 0, 'all goes well')
  if (status !== 0) {
    t.comment(`${stdout}\n${stderr}`)
    for (const peer of PEERS) t.comment(`${peer}: ${eventsOf(peer).map(({ event }) => event).join(' ')}`)
  }
  const scenes = readdirSync(path.join(dir, 'scenes')).sort().map(name => statSync(path.join(dir, 'scenes', name)).size)
  const total = scenes.reduce((sum, size) => sum + size, 0)
  const piecesOf = (peer: string, kind: string): number[] =>
    [...new Set(eventsOf(peer).filter(({ event }) => event === kind).map(({ piece }) => Number(piece)))]
  const sizeOf = (pieces: number[]): number => pieces.reduce((sum, piece) => sum + scenes[piece]!, 0)
  const computed = PEERS.map(peer => piecesOf(peer, 'computed'))
  const pieces = computed.flat().sort((a, b) => a - b)
  t.deepEqual([...new Set(pieces)], scenes.map((_, i) => i), 'the peers with the link have computed all pieces')
  for (const [i, peer] of PEERS.entries()) {
    const events = eventsOf(peer)
    const own = sizeOf(computed[i]!)
    // on a busy machine, another peer may be faster with a piece that was begun here
    const begun = sizeOf(piecesOf(peer, 'computing'))
    const took = Math.max(0, ...events.filter(({ event, name }) => event === 'input' && name === 'scenes').map(({ have }) => Number(have)))
    t.comment(`${peer} computed ${computed[i]!.length} of ${scenes.length} pieces from ${own} bytes, and took ${took} of ${total}: ${(took / own).toFixed(2)}`)
    t.ok(took <= 1.2 * begun, `${peer} took ${(took / begun).toFixed(2)} of what it has worked with`)
    const file = path.join(dir, peer, 'video.mp4')
    t.equal(probe(file, 'stream=codec_name'), 'mpeg4\naac', 'picture and sound')
    t.ok(Math.abs(Number(probe(file, 'format=duration')) - SECONDS) < 0.3, 'of the right length')
    execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-i', file, '-f', 'null', '-'])
  }
  const sealed = PEERS.map(peer => eventsOf(peer).find(({ event }) => event === 'sealed')?.['infoHash'])
  t.equal(new Set(sealed).size, 1, 'all have sealed the same torrent')
  const video = readFileSync(path.join(dir, 'd/video.mp4'))
  for (const client of ['aria', 'transmission']) t.ok(video.equals(readFileSync(path.join(dir, client, 'video.mp4'))), client)
})
