import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { workspace } from '../helpers/cli.ts'

test('help', async t => {
  const { run } = await workspace(t)
  const { code, stdout, stderr } = await run(['--help'])
  t.equal(code, 0)
  t.equal(stderr, '')
  const commands = ['create', 'try', 'run', 'cat', 'log', 'info', 'status', 'pause', 'resume', 'finish', 'seal', 'verify', 'keygen', 'sign', 'trust', 'tracker', 'doctor']
  for (const command of commands) {
    t.match(stdout, new RegExp(`^ {2}${command} `, 'm'), `lists ${command}`)
    const help = await run([command, '--help'])
    t.equal(help.code, 0, `${command} --help`)
    t.match(help.stdout, /^Examples:$/m, 'has examples')
    t.doesNotMatch(help.stdout, /^.{131}/m, 'fits')
    t.doesNotMatch(help.stdout, /default: \d{6}/, 'sizes have units')
  }
})

test('the version is the package\'s', async t => {
  const { run } = await workspace(t)
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
  t.equal((await run(['--version'])).stdout, `${manifest.version}\n`)
})

const headings = (help: string): string[] => [...help.matchAll(/^(\w.*):$/gm)].map(([, heading]) => heading!)

test('the help of a command with many flags has groups', async t => {
  const { run } = await workspace(t)
  t.deepEqual(headings((await run(['run', '--help'])).stdout), [
    'Arguments', 'Options', 'Results of other peers', 'When done', 'Input options', 'Limits of this machine', 'Sandbox and limits',
    'Network options',
    'Examples'
  ])
  t.deepEqual(headings((await run(['create', '--help'])).stdout), [
    'Arguments', 'Options', 'Pieces', 'Inputs', 'Limits and requirements', 'Verifying', 'Sharing and signing', 'Trying and reusing',
    'Network options', 'Examples'
  ])
})

test('without a command the help goes to stderr', async t => {
  const { code, stdout, stderr } = await (await workspace(t)).run([])
  t.deepEqual([code, stdout], [2, ''])
  t.match(stderr, /^Usage: bitworker/)
})

const WRONG: Array<[args: string[], says: RegExp]> = [
  [['crate'], /^bitworker: Unknown command 'crate'\. Did you mean create\?$/m],
  [['run', 'x', '--no-computer'], /Unknown option '--no-computer'\. Did you mean --no-compute\?/],
  [['create', '--nam', 'x'], /Did you mean --name\?/],
  [['unheard'], /Unknown command 'unheard'\. See bitworker --help\./],
  [['run', 'x', '--bogus-option'], /Unknown option '--bogus-option'\. See bitworker run --help\./],
  [['run'], /Missing required argument 'task'\. See bitworker run --help\./],
  [['run', 'a', 'b'], /Too many arguments/],
  [['run', 'ftp://127.0.0.1/x.bitworker'], /Only http and https URLs are supported\. Download the file/],
  [['run', 'x', '-j', '0'], /'-j, --slots <n>' argument '0' is invalid.*at least 1/],
  [['run', 'x', '-j', '0%'], /at least 1/],
  [['run', 'x', '--hours', '22'], /hours of the day, such as 22-7/],
  [['run', 'x', '--load', '0'], /above 0/],
  [['run', 'x', '--nice', '20'], /from 0 to 19/],
  [['run', 'x', '--peer', 'somewhere'], /HOST:PORT/],
  [['run', 'x', '--download-limit', 'fast'], /number of bytes/],
  [['run', 'x', '--port', '70000'], /port from 0 to 65535/],
  [['run', 'x', '--sandbox', 'none'], /all your permissions.*--unsafe-no-sandbox/],
  [['run', 'x', '--sandbox', 'bwrap', '--unsafe-no-sandbox'], /contradicts/],
  [['run', 'x', '--sandbox', 'jail'], /Allowed choices are auto, bwrap, landlock/],
  [['run', 'x', '--max-memory', '10K'], /at least 1M/],
  [['tracker', '--host', 'localhost'], /not an IPv4 address/]
]

test('wrong usage is one line and exit 2', async t => {
  const { run } = await workspace(t)
  for (const [args, says] of WRONG) {
    const { code, stdout, stderr } = await run(args)
    t.deepEqual([code, stdout], [2, ''], args.join(' '))
    t.match(stderr, says)
    t.match(stderr, /^bitworker: [^\n]*\n$/, 'one line')
  }
})

test('with --json wrong usage is an event, too', async t => {
  const { code, events, stderr } = await (await workspace(t)).run(['run', 'x', '--pear', '--json'])
  t.equal(code, 2)
  t.equal(events.length, 1)
  t.equal(events[0]?.['code'], 'BW_ERR_USAGE')
  t.equal(`bitworker: ${String(events[0]?.['message'])}\n`, stderr)
})

test('a reader that leaves is the end, not an error', async t => {
  const { dir, run } = await workspace(t)
  await run(['create', '--name', 'squares', '--parts', '3', '--command', 'echo'])
  const main = new URL('../../lib/cli/main.ts', import.meta.url).pathname
  const child = spawn(
    'bash',
    ['-c', `'${process.execPath}' '${main}' info squares.bitworker | true; echo "\${PIPESTATUS[0]}"`],
    { cwd: dir }
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  await once(child, 'close')
  t.equal(output, '0\n')
})

test('output that cannot be written is an error', async t => {
  const { dir, run } = await workspace(t)
  await run(['create', '--name', 'squares', '--parts', '3', '--command', 'echo'])
  const main = new URL('../../lib/cli/main.ts', import.meta.url).pathname
  for (const args of ['info squares.bitworker', '--version']) {
    const child = spawn('bash', ['-c', `'${process.execPath}' '${main}' ${args} > /dev/full; echo $?`], { cwd: dir })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    await once(child, 'close')
    t.match(output, /^bitworker: standard output: The disk is full\. [^\n]*\n1\n$/, args)
  }
})

test('--version loads nothing else', async t => {
  const { dir } = await workspace(t)
  const main = new URL('../../lib/cli/main.ts', import.meta.url)
  const child = spawn(process.execPath, [main.pathname, '--version'], {
    cwd: dir, env: { ...process.env, NODE_V8_COVERAGE: dir }, stdio: 'ignore'
  })
  await once(child, 'close')
  const coverage = JSON.parse(
    readFileSync(
      path.join(
        dir, readdirSync(dir).find(name => name.startsWith('coverage-'))!
      ),
      'utf8'
    )
  ) as { result: Array<{ url: string }> }
  const lib = new URL('../../lib/', import.meta.url).href
  const loaded = coverage.result.map(({ url }) => url).filter(url => url.startsWith(lib)).sort()
  t.deepEqual(loaded.map(url => url.slice(lib.length)), ['cli/main.ts', 'version.ts'])
})
