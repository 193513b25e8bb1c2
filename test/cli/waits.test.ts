// What a run waits for is said, with what to do about it: once, and then rarely.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { HostPort } from '../../lib/cli/flags/values.ts'
import { lonelyNote } from '../../lib/cli/run/link.ts'
import { openChecksOf } from '../../lib/cli/run/check-waits.ts'
import { memberMessage, WaitsTold } from '../../lib/cli/run/waits.ts'
import type { Wait } from '../../lib/cli/run/waits.ts'
import type { Torrent } from '../../lib/webtorrent/public-types.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--json', '--parts', '1']
const HOUR = 3_600_000

function wait (name: string, since: number): Wait { return { for: 'input', name, since, message: '' } }

test('waits are told after a while, and again after an hour', t => {
  const told = new WaitsTold()
  const due = (waits: Wait[], now: number): string[] => told.due(waits, now).map(({ name }) => name)
  t.deepEqual(due([wait('a', 0)], 9_999), [])
  t.deepEqual(due([wait('a', 0), wait('b', 5_000)], 10_000), ['a'])
  t.deepEqual(due([wait('a', 0), wait('b', 5_000)], 15_000), ['b'])
  t.deepEqual(due([wait('a', 0), wait('b', 5_000)], 10_000 + HOUR - 1), [])
  t.deepEqual(due([wait('a', 0), wait('b', 5_000)], 10_000 + HOUR), ['a'])
  t.deepEqual(due([wait('a', 2 * HOUR)], 2 * HOUR + 1), [], 'more of it has come')
  t.deepEqual(due([wait('a', 2 * HOUR)], 3 * HOUR), ['a'])
  t.end()
})

test('results that are still to be checked are waited for', t => {
  const verification = {
    sample: null as unknown, open: 0, states: { doubtful: 0 } as Record<string, number>
  }
  const torrent = { verification, done: false, destroyed: false, computing: 'on', stats: () => ({ missing: 0 }) }
  const told = (): Array<string | number> => {
    const open = openChecksOf(torrent as unknown as Torrent)
    return open === null ? [] : [open.what, open.pieces, open.state]
  }
  t.same(told(), [], 'the files are being made')
  verification.states['doubtful'] = 5
  t.same(told(), ['doubtful', 5, 'computing 5 pieces whose result is doubtful'])
  verification.open = 3
  t.same(told(), ['checks', 3, 'checking 3 results of others'])
  torrent.computing = 'paused'
  t.same(told(), ['checks', 3, 'paused before 3 checks'])
  verification.sample = { state: 'open', size: 66, checked: 60 }
  torrent.computing = 'off'
  t.same(told(), ['sample', 6, 'waiting for 6 pieces of the sample that was asked for'])
  t.match(openChecksOf(torrent as unknown as Torrent)!.message, /^All pieces are here, but nothing is computed here, .*Allow computing/)
  torrent.done = true
  t.same(told(), [])
  t.end()
})

function withMembers (policy: string, members = 0, isMemberExpected = true): string | null {
  return memberMessage({ verification: { policy, members, isMemberExpected } } as unknown as Torrent)
}

test('who expects somebody trusted, and meets strangers only, is told what follows', t => {
  for (const [policy, what] of [
    ['trust', /Nothing that others computed is used until one does\./], ['trust=ab', /Nothing that others computed/],
    ['audit', /by lot only\.$/], ['audit=1%', /by lot only\.$/], ['quorum=2', /only compared with each other\.$/]
  ] as const) {
    t.match(withMembers(policy)!, what)
    t.same([withMembers(policy, 1), withMembers(policy, 0, false)], [null, null])
  }
  t.equal(withMembers('all'), null, 'nobody is needed')
  t.equal(memberMessage({ verification: null }), null)
  t.end()
})

test('a link that leads to nobody', t => {
  const flags = { peer: [] as HostPort[], announce: [] as string[], dht: false, lsd: false, tracker: true }
  const link = `magnet:?xt=urn:btih:${'a'.repeat(40)}&dn=x`
  for (const [what, id, more, isLonely] of [
    ['nothing', link, {}, true],
    ['an info-hash', 'a'.repeat(40), {}, true],
    ['the DHT', link, { dht: true }, false],
    ['the local network', link, { lsd: true }, false],
    ['a peer', link, { peer: [{ host: '127.0.0.1', port: 1 }] }, false],
    ['a peer in the link', `${link}&x.pe=127.0.0.1:1`, {}, false],
    ['a tracker in the link', `${link}&tr=http://127.0.0.1/`, {}, false],
    ['a numbered one', `${link}&tr.1=http://127.0.0.1/`, {}, false],
    ['trackers that are not asked', `${link}&tr=http://127.0.0.1/`, { tracker: false }, true],
    ['another tracker', link, { announce: ['http://127.0.0.1/'] }, false],
    ['a URL', 'https://127.0.0.1/x', {}, false]
  ] satisfies Array<[string, string, Partial<typeof flags>, boolean]>) {
    t.equal(lonelyNote(id, { ...flags, ...more }) !== null, isLonely, what)
  }
  t.end()
})

test('a link without peers, and inputs and earlier tasks that nobody has', async t => {
  const { dir, run, start } = await workspace(t)
  writeFileSync(path.join(dir, 'data'), Buffer.alloc(100_000))
  for (const [name, input] of [['first', 'data'], ['last', 'task:first.bitworker']] as const) {
    const made = await run([...CREATE, '--name', name, '--input', input, '--command', 'true'])
    t.equal(made.code, 0, made.stderr)
  }
  const elsewhere = { env: { HOME: path.join(dir, 'home') } }
  const all = (id: string): ReturnType<typeof start> =>
    start(['run', id, '-o', 'out', '--yes', '--exit', '--json', ...OFFLINE], elsewhere)
  const [first, last, lonely] = ['first.bitworker', 'last.bitworker', `magnet:?xt=urn:btih:${'a'.repeat(40)}&dn=x`].map(all)
  t.match(String((await lonely!.event('warning'))['message']), /^Nothing says where peers are/)
  const events = await Promise.all([first, last, lonely].map(async each => each!.event('waiting')))
  t.deepEqual(events.map(event => event['for']), ['input', 'task', 'task'])
  const [input, stage, task] = events.map(({ message }) => String(message)) as [string, string, string]
  t.match(input, /^Waiting for the input data since \d\d:\d\d:\d\d, 0 B of 97\.7 KiB are here: no peer sends the rest\. Start a peer that has it, or name a copy of it with --input-from\.$/)
  t.match(stage, /^Waiting since \S+ for the metadata of the task [0-9a-f]{40}, whose output last reads: no peer has sent it\. Name a peer that has it with --peer, or start one\.$/)
  t.match(task, /^Waiting for the metadata of the task since \S+: no peer was found\. Name a peer/)
  await first!.output(/^Waiting for the input data since/m) // also for people
})

test('an original that has changed: another copy that is named is used', async t => {
  const { dir, run, start } = await workspace(t)
  writeFileSync(path.join(dir, 'data'), 'right'.repeat(100_000))
  const made = await run([...CREATE, '--name', 'x', '--input', 'data', '--command', 'cat data'])
  t.equal(made.code, 0, made.stderr)
  mkdirSync(path.join(dir, 'copy'))
  renameSync(path.join(dir, 'data'), path.join(dir, 'copy/data'))
  writeFileSync(path.join(dir, 'data'), 'wrong'.repeat(100_000))
  const author = start(['run', 'x.bitworker', '-o', 'out', '--yes', '--json', ...OFFLINE])
  const { message } = await author.event('input', event => event['message'] !== undefined)
  t.match(String(message), /\/data has changed since the task was made\. Put it back as it was, or name another copy of it\.$/)
  const again = await run(['run', 'x.bitworker', '-o', 'out2', '--yes', '--exit', '--json', '--input-from', 'copy/data', ...OFFLINE])
  t.equal(again.code, 0, again.stderr)
})
