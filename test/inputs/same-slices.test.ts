// What pieces get in a corrected task, compared with what they got before.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'tape'
import { sameSlices } from '../../lib/inputs/same-slices.ts'
import { dataFolder } from '../../lib/inputs/registry.ts'
import { createTaskFrom } from '../../lib/index.ts'
import type { CreateTaskFromOptions, Task } from '../../lib/index.ts'

test('slice by slice', async t => {
  const registry = await mkdtemp(path.join(tmpdir(), 'bitworker-slices-'))
  t.teardown(async () => { await rm(registry, { recursive: true, force: true }) })
  const make = async (opts: Partial<CreateTaskFromOptions>): Promise<Task> =>
    await createTaskFrom({ name: 'x', command: 'true', registry, ...opts })
  const lines = async (texts: string[], opts: object = {}): Promise<Task> =>
    await make({ inputs: [{ lines: Buffer.from(texts.join('\n')), ...opts }] })
  const same = async (old: Task, task: Task): Promise<string | null> => {
    const compare = await sameSlices(old, task, registry)
    return compare && Array.from({ length: 6 }, (_, piece) => compare(piece) ? '=' : '.').join('')
  }
  const abc = await lines(['a', 'b', 'c'])
  t.equal(await same(abc, await lines(['a', 'B', 'c'])), '=.=...', 'a corrected line')
  t.equal(await same(abc, await lines(['a', 'b', 'c', 'd'])), '===...', 'one more at the end')
  t.equal(await same(abc, await lines(['z', 'a', 'b', 'c'])), '......', 'one more at the top')
  t.equal(await same(abc, await lines(['a', 'b', 'c'], { chunk: 2 })), null, 'no ENTRY any more')
  t.equal(await same(abc, await lines(['a', 'b', 'c'], { name: 'other' })), null, 'another INPUT')
  t.equal(await same(abc, await make({ parts: 3 })), null, 'none any more')
  t.equal(await same(await make({ parts: 3 }), await make({ parts: 4 })), '======', 'none in both')

  // as torrents, from the registry
  const long = Array.from({ length: 6 }, (_, i) => `${i}`.repeat(20_000))
  const before = await lines(long)
  const after = await lines(long.with(4, 'corrected'))
  const infoHash = before.inputs?.[0]?.infoHash ?? ''
  t.notEqual(infoHash, '', 'too long for the task file')
  t.equal(await same(before, after), '====.=')
  t.equal(await same(before, await lines(long.slice(0, 2))), '==....', 'one of them is in the task file')
  await writeFile(path.join(dataFolder(infoHash, registry), 'data'), 'changed')
  t.equal(await same(before, after), null, 'what has changed since is not known')
})
