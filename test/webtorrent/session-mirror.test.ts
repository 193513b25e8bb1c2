// When a task's torrent counts as done.
import { EventEmitter } from 'node:events'
import test from 'tape'
import { SessionMirror } from '../../lib/webtorrent/session-mirror.ts'
import { createTask } from '../../lib/index.ts'

test('parts without their files are not done while commands are about to be allowed', t => {
  const control = { isStarting: true, planned () {} }
  const session = { hasUnmergedFiles: true }
  const torrent = Object.assign(new EventEmitter(), {
    ready: true, done: false, destroyed: false, discovery: null, _control: control, _session: session, _options: {}
  })
  let times = 0
  torrent.on('done', () => { times++ })
  const task = createTask({ name: 'x', command: 'echo', parts: 1, completeCommand: 'cat $PART_LIST > "$FILE"' })
  const mirror = new SessionMirror(torrent as unknown as ConstructorParameters<typeof SessionMirror>[0], task)
  mirror.done()
  t.deepEqual([torrent.done, times], [false, 0], 'the complete command will run')
  control.isStarting = false
  mirror.done()
  t.deepEqual([torrent.done, times], [true, 1], 'nobody runs it')
  mirror.done()
  t.equal(times, 1, 'told once')
  t.end()
})

test('a task that has its files is done, whatever is about to start', t => {
  const torrent = Object.assign(new EventEmitter(), {
    ready: true,
    done: false,
    destroyed: false,
    discovery: null,
    _control: { isStarting: true, planned () {} },
    _session: { hasUnmergedFiles: false },
    _options: {}
  })
  const task = createTask({ name: 'x', command: 'echo', parts: 1 })
  new SessionMirror(torrent as unknown as ConstructorParameters<typeof SessionMirror>[0], task).done()
  t.equal(torrent.done, true)
  t.end()
})
