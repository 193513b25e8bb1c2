// The first example of the paper, for real: a video that only its author has is encoded by those who have the link.
import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { createTaskFrom } from '../../lib/inputs/make-task.ts'
import { encodeTask, magnetOf } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const SECONDS = 6
const COMMAND = `if [ $PART_IDX = 0 ]; then ffmpeg -v error -i film.mp4 -vn -c:a aac -f mpegts pipe:1
else ffmpeg -v error -ss $((PART_IDX * 2 - 2)) -t 2 -i film.mp4 -an -c:v mpeg4 -threads 1 -f mpegts pipe:1; fi`
const COMPLETE = `set -- $PART_LIST; sound=$1; shift; printf "file %s\\nduration 2\\n" "$@" > picture.txt
ffmpeg -v error -f concat -i picture.txt -i $sound -c copy "$FILE"`

test('a video that only its author has', async t => {
  const files = await workspace(t)
  const film = path.join(files.dir, 'film.mp4')
  const made = `-f lavfi -i testsrc2=size=160x120:rate=25 -f lavfi -i sine=beep_factor=2 -t ${SECONDS} -c:v mpeg4 -c:a aac`
  execFileSync('ffmpeg', ['-v', 'error', ...made.split(' '), film])
  const task = await createTaskFrom({
    name: 'video.mp4',
    command: COMMAND,
    completeCommand: COMPLETE,
    parts: 1 + SECONDS / 2,
    pieceLength: 4 * 1024 ** 2,
    inputs: [{ path: film }],
    registry: path.join(files.dir, '.local/state/bitworker/inputs')
  })
  t.ok(task.inputs?.[0]?.infoHash, `${statSync(film).size} bytes, which the task file does not have`)
  writeFileSync(path.join(files.dir, 'task.bitworker'), encodeTask(task))
  const author = files.start(['run', 'task.bitworker', '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  const link = `${magnetOf(task)}&x.pe=127.0.0.1:${String((await author.event('listening'))['port'])}`
  const volunteers = ['a', 'b'].map(name => files.start(
    ['run', link, '-o', name, '--yes', '--json', '-j', '1', ...OFFLINE], { env: { HOME: path.join(files.dir, `${name}.home`) } }
  ))
  await Promise.all(volunteers.map(async each => each.event('done')))
  for (const name of ['a', 'b']) {
    const entry = 'format=duration:stream=codec_type'
    const file = path.join(files.dir, name, 'video.mp4')
    const said = execFileSync('ffprobe', ['-v', 'error', '-show_entries', entry, '-of', 'default=nw=1:nk=1', file])
    const [first, second, duration] = said.toString().trim().split('\n')
    t.deepEqual(new Set([first, second]), new Set(['audio', 'video']), 'picture and sound')
    t.ok(Math.abs(Number(duration) - SECONDS) < 0.3, `${duration} s`)
  }
})
