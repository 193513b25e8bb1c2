// A peer that signs, which was written from docs/ut_bitworker.md alone, and real bitworkers with each policy.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { createTask, encodeTask } from '../../lib/index.ts'
import { Key, SigningPeer } from '../fixtures/signing-peer.ts'
import type { Options } from '../fixtures/signing-peer.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent, Running, Workspace } from '../helpers/cli.ts'

const PIECES = 12
const COMMAND = 'sleep 0.1; echo $((PIECE_IDX*PIECE_IDX))'
const right = (index: number): Buffer => Buffer.from(`${index * index}\n`)
const wrong = (): Buffer => Buffer.from('999\n')
/** So many that a result is accepted on the word of one stranger. */
const BIG = 300
const of = (pieces: number): number[] => Array.from({ length: pieces }, (_, index) => index)
const ALL = of(PIECES)
const rightOf = (pieces: number): string => Buffer.concat(of(pieces).map(right)).toString()
const RIGHT = rightOf(PIECES)

interface Swarm extends Workspace {
  /** A foreign peer that has computed these pieces; it ends with the test. */
  signing (computed: number[], opts?: Partial<Options>): SigningPeer
  /** Starts bitworker; the name is that of its output folder. */
  taking (name: string, ...more: string[]): Running
}

async function swarm (t: Test, pieces = PIECES): Promise<Swarm> {
  const files = await workspace(t)
  const file = Buffer.from(encodeTask(createTask({ name: 'squares', parts: pieces, command: COMMAND })))
  await writeFile(path.join(files.dir, 'squares.bitworker'), file)
  return {
    ...files,
    signing: (computed, opts = {}) => {
      const peer = new SigningPeer({ file, output: right, ...opts })
      t.teardown(() => { peer.close() })
      for (const index of computed) peer.store(index, peer.options.output(index), true)
      return peer
    },
    taking: (name, ...more) =>
      files.start(['run', 'squares.bitworker', '--yes', '--json', '-j', '1', '-o', name, ...more, ...OFFLINE])
  }
}

const at = (port: number): string[] => ['--peer', `127.0.0.1:${port}`]

async function portOf (peer: Running): Promise<number> { return Number((await peer.event('listening'))['port']) }

const count = (events: JsonEvent[], name: string): number => events.filter(({ event }) => event === name).length

async function statesOf ({ dir }: Workspace, name: string): Promise<string[]> {
  const { pieces } = JSON.parse(await readFile(path.join(dir, name, 'squares.results.json'), 'utf8')) as
    { pieces: Array<{ accepted: string }> }
  return pieces.map(({ accepted }) => accepted)
}

test('audit: each computes some, and accepts what the other one attests', async t => {
  const files = await swarm(t, BIG)
  const other = files.signing(of(BIG).slice(0, -9))
  const peer = files.taking('out', '--verify', 'audit', ...at(await other.listen()))
  await Promise.all([peer.event('done'), other.done()])
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), rightOf(BIG))
  const states = await statesOf(files, 'out')
  t.ok(states.every(state => ['own', 'attested'].includes(state)), [...new Set(states)].join(' '))
  t.ok(states.includes('attested'), 'what only the foreign peer has computed is accepted')
  t.deepEqual([other.of('proofs'), other.of('wrong signatures'), other.of('closed')], [1, 0, 0])
  t.ok(other.of('attestations') >= 3, 'it has got attestations of what it did not compute')
  t.equal(count(peer.events, 'strike') + count(peer.events, 'suspected') + count(peer.events, 'excluded'), 0)
})

test('quorum=2: what two foreign peers attest is accepted, and what one of them does is not', async t => {
  const files = await swarm(t)
  const [one, two] = [files.signing(ALL), files.signing(ALL.slice(0, 10))]
  const ports = [await one.listen(), await two.listen()]
  const peer = files.taking('out', '--verify', 'quorum=2', ...ports.flatMap(at))
  await peer.event('done')
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), RIGHT)
  const states = await statesOf(files, 'out')
  t.deepEqual(states.slice(10), ['own', 'own'])
  t.ok(states.slice(0, 10).every(state => ['own', 'confirmed'].includes(state)), states.join(' '))
  t.ok(states.includes('confirmed'))
  t.equal(count(peer.events, 'strike') + count(peer.events, 'excluded'), 0)
})

test('trust: what a foreign member attests is accepted; what a stranger says before is not', async t => {
  const files = await swarm(t)
  const lab = new Key()
  const liar = files.signing(ALL, { output: wrong })
  const member = files.signing(ALL, { memberOf: lab })
  const peer = files.taking('out', '--no-compute', '--verify', `trust=${lab.public.toString('hex')}`, ...at(await liar.listen()))
  await member.connect(await portOf(peer))
  await peer.event('done')
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), RIGHT)
  t.deepEqual(await statesOf(files, 'out'), ALL.map(() => 'trusted'))
  member.close()

  const next = files.signing([], { trusts: lab.public })
  await next.connect(await portOf(peer))
  await next.done()
  t.ok(next.own.get(11)?.bytes.equals(right(11)))
  t.ok(next.of('asked') > 0, 'it asks for what the one that has gone attested')
  t.ok(next.of('members') > 0, 'and gets its certificate, too')
  t.equal(next.of('wrong signatures'), 0)
})

test('batches: each side signs results together, reads those of the other one, and passes single ones on', async t => {
  const files = await swarm(t, BIG)
  const other = files.signing(of(BIG).slice(0, 200), { batches: true })
  const port = await other.listen()
  const peer = files.taking('out', '--verify', 'audit', '-j', '4', ...at(port))
  await Promise.all([peer.event('done'), other.done()])
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), rightOf(BIG))
  const states = await statesOf(files, 'out')
  t.ok(states.slice(0, 200).includes('attested'), 'what the foreign peer has signed together is accepted')
  t.ok(other.of('batches') > 0, 'it has got batches')
  const reader = files.taking('b', '--no-compute', '--verify', 'audit', ...at(port))
  await reader.event('done')
  t.ok((await statesOf(files, 'b')).every(state => ['attested', 'confirmed'].includes(state)), 'all is attested there, too')
  t.deepEqual([other.of('wrong signatures'), other.of('closed')], [0, 0])
  t.equal(count(peer.events, 'strike') + count(peer.events, 'suspected') + count(peer.events, 'excluded'), 0)
})

test('it answers what a peer with another policy asks, about pieces that it did not compute', async t => {
  const files = await swarm(t)
  const between = files.signing([])
  const machine = files.taking('a', '--verify', 'audit')
  await between.connect(await portOf(machine))
  await between.done()
  const reader = files.taking('b', '--no-compute', '--verify', 'audit', ...at(await between.listen()))
  await reader.event('done')
  t.equal(await readFile(path.join(files.dir, 'b/squares'), 'utf8'), RIGHT)
  t.ok(between.of('answered') > 0)
  t.ok((await statesOf(files, 'b')).includes('attested'))
})
