// A file of each piece: made, described, seeded, sealed and found again after a restart.
import { readFile, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

test('create --out-pattern', async t => {
  const { dir, run, start } = await workspace(t)
  const create = ['create', '--no-try', '--name', 'film', '--piece-length', '64', '--command', 'echo "$FILE"']
  const made = await run([...create, '--parts', '5', '--out-pattern', 'frame-%03d.txt', '--json'])
  t.equal(made.code, 0, made.stderr)
  t.equal(made.events[0]?.['outputPattern'], 'frame-%03d.txt')
  const { stdout } = await run(['info', 'film.bitworker'])
  t.match(stdout, /^ {2}files {7}film\/frame-%03d\.txt {2}5 files, one for each piece$/m)
  t.match(stdout, /^ {2}at the end {2}each piece is a file$/m)

  const first = start(['run', 'film.bitworker', '-o', 'a', '--yes', '--json', '--seal', ...OFFLINE])
  const { port } = await first.event('listening')
  await first.event('sealed')
  const second = await run(['run', 'film.bitworker', '-o', 'b', '--no-compute', '--exit', '--json', '--peer', `127.0.0.1:${String(port)}`, ...OFFLINE])
  t.equal(second.code, 0, second.stderr)
  first.kill('SIGINT')
  await first.ended
  const names = Array.from({ length: 5 }, (_, i) => `frame-00${i}.txt`)
  for (const [folder, { events }] of [['a', first], ['b', second]] as const) {
    const { files } = events.find(({ event }) => event === 'done')!
    t.same((files as Array<{ path: string }>).map(file => path.basename(file.path)), names, 'in the order of the pieces')
    t.same((await readdir(path.join(dir, folder, 'film'))).sort(), names)
    t.same(await Promise.all(names.map(name => readFile(path.join(dir, folder, 'film', name), 'utf8'))), names.map(name => `film/${name}\n`))
  }
  const sealed = await run(['seal', 'film.bitworker', '--dir', 'b', '--json'])
  t.equal(sealed.events[0]?.['infoHash'], first.events.find(({ event }) => event === 'sealed')?.['infoHash'])

  await rm(path.join(dir, 'a/film/frame-003.txt'))
  const again = await run(['run', 'film.bitworker', '-o', 'a', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(again.code, 0, again.stderr)
  t.same(again.events.filter(({ event }) => event === 'computed').map(({ piece }) => piece), [3], 'only what is gone is computed again')
  t.equal(await readFile(path.join(dir, 'a/film/frame-003.txt'), 'utf8'), 'film/frame-003.txt\n')

  for (const [flags, says] of [
    [['--parts', '5', '--out-pattern', 'frame.txt'], /must have one %d or %0Nd/],
    [['--file', 'a:2', '--out-pattern', '%d'], /Pass --parts N, not --file/],
    [['--parts', '10001', '--out-pattern', '%d'], /10001 files; at most 10000/]
  ] as const) {
    const { code, stderr } = await run([...create, '--force', ...flags])
    t.equal(code, 2)
    t.match(stderr, says)
  }
})
