// What is reported of work items: in order, never more than there are slots, and an end where nothing but failures
// comes.
import { EventEmitter, once } from 'node:events'
import test from 'tape'
import { CommandError } from '../../lib/base/errors.ts'
import { createTask } from '../../lib/index.ts'
import type { Torrent } from '../../lib/index.ts'
import { EarlyStop, SlotReports } from '../../lib/session/work-reports.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

/** The reports of slots as words. */
function reportsOf (slots: number): { reports: SlotReports, said: string[], end: (index: number) => void } {
  const said: string[] = []
  const reports = new SlotReports(slots, index => { said.push(`begin ${index}`) })
  return { reports, said, end: index => { reports.end(index, () => { said.push(`end ${index}`) }) } }
}

test('an item that starts before the previous one is stored is reported after it', t => {
  const { reports, said, end } = reportsOf(1)
  reports.begin(0)
  reports.begin(1)
  t.equal(reports.running, 1)
  end(0)
  end(1)
  t.same(said, ['begin 0', 'end 0', 'begin 1', 'end 1'])
  t.equal(reports.running, 0)
  t.end()
})

test('items that overtake one that is being stored wait for it', t => {
  const { reports, said, end } = reportsOf(1)
  for (const index of [0, 1, 2]) reports.begin(index)
  end(1)
  t.same(said, ['begin 0'])
  end(0)
  t.same(said.slice(1), ['end 0', 'begin 1', 'end 1', 'begin 2'])
  reports.begin(1)
  end(2)
  t.same(said.slice(5), ['end 2', 'begin 1'], 'the same piece may be begun again')
  t.end()
})

const EXIT_127 = new CommandError('BW_ERR_COMMAND_EXIT', 'the command exited with code 127: x: not found', {
  exitCode: 127, signal: null, stderr: 'x: not found'
})
const EXIT_1 = new CommandError('BW_ERR_COMMAND_EXIT', 'the command exited with code 1', {
  exitCode: 1, signal: null, stderr: ''
})

/** After how many failures of pieces 0, 1, 2 … it is not worth going on; 0: always. */
function stopsAfter (stop: EarlyStop, elsewhere = false, failure = EXIT_127): number {
  for (let piece = 0; piece < 100; piece++) if (stop.failed(piece, failure, () => elsewhere) !== null) return piece + 1
  return 0
}

test('nothing but failures is not worth going on', t => {
  t.equal(stopsAfter(new EarlyStop(1)), 3)
  t.equal(stopsAfter(new EarlyStop(8)), 8, 'all slots began before anything was known')
  t.equal(stopsAfter(new EarlyStop(1), true), 9, 'others have results')
  const again = new EarlyStop(1)
  for (let i = 0; i < 10; i++) t.equal(again.failed(0, EXIT_127, () => false), null, 'one piece says nothing')
  const unlike = new EarlyStop(1)
  unlike.failed(0, EXIT_1, () => false)
  t.equal(stopsAfter(unlike), 0, 'not alike')
  const good = new EarlyStop(1)
  good.succeeded()
  t.equal(stopsAfter(good), 0, 'it can work')
  t.end()
})

const many = createTask({ name: 'many', command: 'x', parts: 100, pieceLength: 64 })

test('a command that cannot work is not tried three hundred times', async t => {
  const failing = new FakeExecutor(() => ({ exitCode: 127, stderr: 'x: command not found' }))
  const peer = await createPeer(t, many)
  const heard = once(peer.torrent, 'hopeless')
  const reported: string[] = []
  for (const event of ['failed', 'stuck', 'hopeless'] as const) peer.torrent.on(event, () => { reported.push(event) })
  peer.torrent.startComputing({ executor: failing, slots: 2 })
  const [{ code, pieces, exitCode, stderr, message }] = await heard
  t.same([code, pieces.length, exitCode, stderr], ['BW_ERR_HOPELESS', 3, 127, 'x: command not found'])
  t.match(message, /first 3 pieces all failed in the same way.*127: x: command not found$/)
  t.equal(peer.torrent.computing, 'off')
  const items = failing.items.length
  t.ok(items <= 5, `${items} items were run`)

  const other = await createPeer(t, many, {
    compute: { executor: new FakeExecutor(() => ({ stdout: 'y' })), slots: 2 }
  })
  await ready(other)
  await connect(peer, other)
  await allDone([peer, other])
  t.equal(failing.items.length, items, 'what others have is downloaded, and nothing more run')
  t.equal(reported.filter(event => event === 'hopeless').length, 1)
  t.notOk(reported.includes('stuck'))
})

test('it can be started again', async t => {
  let isMissing = true
  const executor = new FakeExecutor(() => isMissing ? { exitCode: 127 } : { stdout: 'y' })
  const peer = await createPeer(t, many)
  const heard = once(peer.torrent, 'hopeless')
  peer.torrent.startComputing({ executor, slots: 1 })
  await heard
  isMissing = false
  peer.torrent.startComputing({ executor, slots: 1 })
  await allDone([peer])
  t.equal(peer.computed.length, 100)
})

/** Fails the test if more items are at work than slots, by events or by numbers. */
function watchSlots (torrent: Torrent, slots: number): { most: number, isOver: boolean } {
  const seen = { most: 0, isOver: false }
  const atWork = new Set<number>()
  torrent.on('computing', ({ piece }) => {
    atWork.add(piece)
    seen.most = Math.max(seen.most, atWork.size, torrent.stats().running)
    seen.isOver ||= seen.most > slots
  })
  for (const event of ['computed', 'failed', 'aborted'] as const) {
    torrent.on(event, ({ piece }: { piece: number | null }) => {
      if (piece !== null && !atWork.delete(piece)) seen.isOver = true
    })
  }
  return seen
}

test('never more at work than there are slots, nor an end without a begin', async t => {
  const [quick, large] = [
    createTask({ name: 'quick', command: 'fails now and then', parts: 300, pieceLength: 64 }),
    createTask({ name: 'large', command: 'says much', parts: 12, pieceLength: 4 << 20 })
  ]
  const [one, two] = [await createPeer(t, quick), await createPeer(t, large)]
  const executors = [
    new FakeExecutor(({ env }) => Number(env['PIECE_IDX']) % 50 === 7 ? { exitCode: 1 } : { stdout: 'x' }),
    new FakeExecutor(() => ({ stdout: 'x'.repeat(4_000_000) }))
  ]
  const seen = [one, two].map(({ torrent }) => watchSlots(torrent, 2))
  const stuck = once(one.torrent, 'stuck')
  for (const [i, { torrent }] of [one, two].entries()) {
    torrent.startComputing({ slots: 2, executor: executors[i]! })
  }
  await Promise.all([stuck, allDone([two])])
  t.same(seen, [{ most: 2, isOver: false }, { most: 2, isOver: false }])
})

test('a complete command is reported when it starts, without a time left', async t => {
  const peer = await createPeer(
    t, createTask({ name: 'sum', command: 'echo $PIECE_IDX', completeCommand: 'x', parts: 3, pieceLength: 64 })
  )
  const gate = new EventEmitter()
  const opened = once(gate, 'open')
  const executor = new FakeExecutor(async ({ command }) => {
    if (command === 'x') await opened
    return command === 'x' ? { exitCode: 1 } : { stdout: '1' }
  })
  const begun = once(peer.torrent, 'completing')
  const stuck = once(peer.torrent, 'stuck')
  peer.torrent.startComputing({ executor, slots: 1 })
  t.same(await begun, [{ file: 0 }])
  t.equal(peer.torrent.timeRemaining, Infinity)
  gate.emit('open')
  await stuck
  t.equal(peer.torrent.timeRemaining, Infinity, 'nor when it failed')
})
