// Which results of other peers are accepted: the recipe for own machines as it is typed, and members alone.
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent } from '../helpers/cli.ts'
import { portOf } from '../helpers/runs.ts'

/** On the machine of a liar there is a file that it shows to the command. */
const COMMAND = 'if [ -e lie ]; then echo 999; else sleep 0.1; echo $((PIECE_IDX*PIECE_IDX)); fi'
const PIECES = 12
const RIGHT = Array.from({ length: PIECES }, (_, piece) => `${piece * piece}\n`).join('')

function the (name: string, events: JsonEvent[]): JsonEvent | undefined {
  return events.find(({ event }) => event === name)
}

/** Takes part in the task; the name is that of the output folder. */
function taking (name: string, ...more: string[]): string[] {
  return ['run', 'squares.bitworker', '--yes', '--json', '-j', '1', '-o', name, ...more, ...OFFLINE]
}

function member (name: string, ...more: string[]): string[] {
  return taking(name, '--member', `${name}/lab.key`, ...more)
}

test('own machines are two commands, and a stranger among them changes nothing', async t => {
  const { dir, run, start } = await workspace(t)
  await writeFile(path.join(dir, 'lie'), '')
  await run(['create', '--no-try', '--name', 'squares', '--parts', String(PIECES), '--command', COMMAND])
  t.equal((await run(['keygen', '-o', 'lab.key', '--label', 'lab'])).code, 0)
  for (const machine of ['a', 'b', 'c']) {
    await mkdir(path.join(dir, machine))
    await copyFile(path.join(dir, 'lab.key'), path.join(dir, machine, 'lab.key'))
  }
  const lab = await readFile(path.join(dir, 'lab.pub'), 'utf8')
  // it is there first, announces everything, and signs what it says
  const stranger = start(taking('s', '--bind', 'lie', '--verify', 'audit'))
  await stranger.event('done')
  const at = await portOf(stranger)
  const a = start(member('a', '--peer', at))
  const first = await portOf(a)
  const others = ['b', 'c'].map(name => start(member(name, '--peer', at, '--peer', first)))
  const machines = [a, ...others]
  await Promise.all(machines.map(machine => machine.event('done')))
  // one may have computed everything before the others were there
  let [trusted, knownMembers] = [0, 0]
  for (const [index, machine] of machines.entries()) {
    const name = 'abc'[index]!
    t.equal(await readFile(path.join(dir, name, 'squares'), 'utf8'), RIGHT, `${name} has no wrong line`)
    const { pieces, keys = [] } = JSON.parse(await readFile(path.join(dir, name, 'squares.results.json'), 'utf8')) as
      { pieces: Array<{ accepted: string, by?: string[] }>, keys?: Array<Record<'key' | 'label' | 'trustedKey', string>> }
    t.ok(pieces.every(({ accepted, by }) => by === undefined ? accepted === 'own' : accepted === 'trusted'), 'the results say how')
    const members = new Set(keys.filter(({ label, trustedKey }) => label === 'lab' && lab.includes(trustedKey)).map(({ key }) => key))
    t.ok(pieces.every(({ by = [] }) => by.length === 0 || by.some(key => members.has(key))), 'and by whom')
    t.equal(the('verifying', machine.events)?.['policy'], 'audit')
    t.match(machine.stderr(), /^results: checked by lot here, and by trusted peers$/m)
    t.doesNotMatch(machine.stderr(), /^\(node:/m, 'Node warns of nothing')
    const { event: _, ...verification } = the('verification', machine.events)!
    t.same(the('done', machine.events)?.['verification'], verification)
    const { policy, states } = the('verification', machine.events) as unknown as { policy: string, states: Record<string, number> }
    t.same([policy, states['own']! + states['trusted']!, states['attested'], states['unattested']], ['audit', PIECES, 0, 0])
    const counts = [[states['own']!, 'computed here'], [states['trusted']!, 'by trusted peers']] as const
    const said = counts.filter(([count]) => count > 0).map(each => each.join(' ')).join(', ')
    t.ok(machine.stderr().includes(`verified    ${said}`), said)
    trusted += states['trusted']!
    knownMembers += the('verification', machine.events)!['members'] as number
  }
  t.ok(trusted > 0, `${trusted} pieces are those of another machine`)
  t.ok(knownMembers > 0, 'which is known as a member')
  t.ok(existsSync(path.join(dir, 'a/.bitworker')), 'the peer key stays with the task')
})

test('with --members-only, a stranger gets nothing and gives nothing', async t => {
  const { dir, run, start } = await workspace(t)
  await writeFile(path.join(dir, 'lie'), '')
  await run(['create', '--no-try', '--name', 'squares', '--parts', String(PIECES), '--command', COMMAND])
  for (const machine of ['a', 'b', 'c']) await mkdir(path.join(dir, machine))
  await run(['keygen', '-o', 'a/lab.key'])
  for (const machine of ['b', 'c']) await copyFile(path.join(dir, 'a/lab.key'), path.join(dir, machine, 'lab.key'))
  const a = start(member('a', '--members-only'))
  const first = await portOf(a)
  // it would compute nothing itself, and signs nothing
  const stranger = start(taking('s', '--no-compute', '--peer', first))
  const at = await portOf(stranger)
  const others = ['b', 'c'].map(name => start(member(name, '--members-only', '--peer', first, '--peer', at)))
  const machines = [a, ...others]
  await Promise.all(machines.map(machine => machine.event('done')))
  for (const name of ['a', 'b', 'c']) t.equal(await readFile(path.join(dir, name, 'squares'), 'utf8'), RIGHT, name)
  const exchanged = machines.map(({ events }) => events.filter(({ event }) => event === 'downloaded').length)
  t.ok(exchanged.some(count => count > 0), `members exchange pieces: ${exchanged.join(', ')}`)
  for (const machine of machines) {
    const { peer, reason } = await machine.event('refused')
    t.match(String(peer), /127\.0\.0\.1:\d+$/)
    t.equal(reason, 'it has not shown in 10 s that it is a member of a trusted key')
    t.equal(machine.events.filter(({ event }) => event === 'refused').length, 1, 'nobody else is, and not again at once')
  }
  t.notOk(stranger.events.some(({ event }) => event === 'downloaded'), 'the stranger has not got a piece')
})
