// The published bundle installs the guards of the inherited packages: nothing is left out as if it had no effect.
import path from 'node:path'
import { rolldown } from 'rolldown'
import test from 'tape'
import config from '../../rolldown.config.ts'

test('whoever imports the bundle has the guards', async t => {
  const { output } = await (await rolldown(config)).generate({ format: 'esm' })
  const chunks = new Map(output.flatMap(file => (file.type === 'chunk' ? [[file.fileName, file] as const] : [])))
  const loaded = new Set(['index.js'])
  for (const name of loaded) for (const other of chunks.get(name)?.imports ?? []) loaded.add(other)
  const ids = [...loaded].flatMap(name => chunks.get(name)?.moduleIds ?? [])
  const modules = new Set(ids.map(id => path.relative('.', id)))
  for (const guards of [
    'lib/webtorrent/package-guards.ts', 'lib/discovery/tracker-guards.ts', 'lib/discovery/dht-guards.ts',
    'lib/discovery/lan-guards.ts', 'lib/connections/wire-guards.ts', 'lib/connections/web-seed-guards.ts'
  ]) t.ok(modules.has(guards), guards)
})
