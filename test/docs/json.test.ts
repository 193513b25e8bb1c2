/** docs/json.md lists the events that `run --json` has. */
import { readFileSync } from 'node:fs'
import test from 'tape'
import { filesLike } from '../helpers/files.ts'

/** Whatever speaks while a task runs. */
const RUN = filesLike(
  'lib/cli/commands/run.ts',
  'lib/cli/commands/try.ts',
  'lib/cli/commands/verify.ts',
  'lib/cli/run/*.ts',
  'lib/cli/output/failure.ts'
)
const source = RUN.map(file => readFileSync(file, 'utf8')).join('\n')
const [events = ''] = readFileSync('docs/json.md', 'utf8').split('\n## ')
const rows = [...events.matchAll(/^\| (`[a-z`, ]+`) \|/gm)]
const documented = rows.flatMap(([, names = '']) => names.replaceAll('`', '').split(', '))

test('every event of run --json is in docs/json.md, and no other', t => {
  const literal = [...source.matchAll(/emit\('([a-z]+)'/g)].map(([, name = '']) => name)
  const passedOn = [
    ...source.matchAll(/for \(const event of \[([^\]]+)\] as const\) \{\s*torrent\.on\(event, \(fields/g)
  ].flatMap(([, names = '']) => names.replaceAll("'", '').trim().split(/,\s+/))
  t.ok(passedOn.length > 5, 'those that the torrent has are found')
  t.deepEqual([...new Set([...literal, ...passedOn])].sort(), documented.toSorted())
  t.equal(new Set(documented).size, documented.length, 'each once')
  t.end()
})
