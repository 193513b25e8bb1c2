/** docs/json.md lists the events that `run --json` has. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const RUN = globSync('lib/cli/{run*,session,failure}.ts', { cwd: ROOT }).concat(globSync('lib/cli/run/*.ts', { cwd: ROOT }))
const source = RUN.map(file => readFileSync(path.join(ROOT, file), 'utf8')).join('\n')
const rows = [...readFileSync(path.join(ROOT, 'docs/json.md'), 'utf8').matchAll(/^\| (`[a-z`, ]+`) \|/gm)]
const documented = rows.flatMap(([, names = '']) => names.replaceAll('`', '').split(', '))

test('every event of run --json is in docs/json.md, and no other', t => {
  const literal = [...source.matchAll(/emit\('([a-z]+)'/g)].map(([, name = '']) => name)
  const passedOn = [...source.matchAll(/for \(const event of \[([^\]]+)\] as const\) \{\s*torrent\.on\(event, \(fields/g)]
    .flatMap(([, names = '']) => names.replaceAll("'", '').split(', '))
  t.ok(passedOn.length > 5, 'those that the torrent has are found')
  t.deepEqual([...new Set([...literal, ...passedOn])].sort(), documented.toSorted())
  t.equal(new Set(documented).size, documented.length, 'each once')
  t.end()
})
