/**
 * Does what README.md and docs/ tell people to do. One bash for each section with shell blocks, so that a block finds
 * what those before it left; one folder for each document. What stands in a `text` block must be printed, in that
 * order.
 *
 * Written there for people, but changed here: ports (others may have them), the folder, dates. `…` stands for anything.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdir, readFile, readdir, realpath, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import { workspace } from '../helpers/cli.ts'
import { anchorsOf, blocksOf, linksOf, sectionsOf, textsOf } from '../helpers/markdown.ts'
import type { Block } from '../helpers/markdown.ts'
import { startProgram } from '../helpers/shell.ts'
import type { Program } from '../helpers/shell.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  ...(await readdir(path.join(ROOT, 'docs'))).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
]
const HOME = '/home/ada/squares'
const PORTS = ['8000', '20000']
const DEADLINE_MS = 180_000

/**
 * Keeps examples on this machine: discovery is off unless they name a tracker or node of their own, which must be here.
 */
const BITWORKER = `#!/bin/bash
case "$1 $*" in
  run\\ *|info\\ *magnet:*)
    [[ " $* " =~ \\ (--announce|--dht-bootstrap|--no-) ]] || set -- "$@" --no-dht --no-lsd --no-nat
    for flag in --no-lsd --no-nat; do [[ " $* " == *" $flag "* ]] || { echo "$flag is missing"; exit 99; }; done
    [[ " $* " =~ \\ (--no-dht|--dht-bootstrap\\ 127\\.0\\.0\\.1:[0-9]+)\\  ]] || { echo 'it would use the public DHT'; exit 99; } ;;
esac
exec ${process.execPath} ${path.join(ROOT, 'lib/cli/main.ts')} "$@"
`

/** What is about the clone, not about the command: checked by the test after the examples. */
const isAboutClone = ({ language, text }: Block): boolean => language === 'sh' && text.startsWith('npm ')

async function read (document: string): Promise<string> {
  return readFile(path.join(ROOT, document), 'utf8')
}

for (const document of DOCUMENTS) {
  const sections = sectionsOf(await read(document)).map(({ title, text }) => ({ title, blocks: examplesOf(text) }))
    .filter(({ blocks }) => blocks.length > 0)
  if (sections.length === 0) continue
  test(`${document}: the examples`, async t => {
    const folder = await createProject(t)
    for (const { title, blocks } of sections) {
      t.comment(title === '' ? document : title)
      for (const example of blocks.filter(({ language }) => language === 'js')) await runScript(t, folder, example)
      await runShell(t, folder, blocks.filter(({ language }) => language === 'sh'))
    }
  })
}

interface Example { language: string, code: string, prints: string }

/** The blocks to run, each with the text that follows it. */
function examplesOf (section: string): Example[] {
  const blocks = blocksOf(section)
  return blocks.flatMap((block, i) => {
    if ((block.language !== 'sh' && block.language !== 'js') || isAboutClone(block)) return []
    const next = blocks[i + 1]
    return [{ language: block.language, code: block.text, prints: next?.language === 'text' ? next.text : '' }]
  })
}

interface Folder { dir: string, env: Record<string, string>, ports: string[] }

/** An empty folder where `bitworker` is a command and a package. */
async function createProject (t: Test): Promise<Folder> {
  const { dir: root } = await workspace(t)
  const dir = path.join(await realpath(root), 'work')
  const bin = path.join(root, 'bin')
  const linked = path.join(dir, 'node_modules/bitworker')
  await Promise.all([mkdir(bin), mkdir(linked, { recursive: true })])
  await writeFile(path.join(bin, 'bitworker'), BITWORKER, { mode: 0o755 })
  const index = pathToFileURL(path.join(ROOT, 'lib/index.ts')).href
  await writeFile(path.join(linked, 'index.js'), `export * from '${index}'\nexport { default } from '${index}'\n`)
  await writeFile(
    path.join(linked, 'package.json'), JSON.stringify({ name: 'bitworker', type: 'module', exports: './index.js' })
  )
  const ports = await Promise.all(PORTS.map(freePort))
  return { dir, ports, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: root, XDG_CONFIG_HOME: '' } }
}

/** Out of the range that systems take ports from which nobody asked for. */
async function freePort (): Promise<string> {
  const port = 10_000 + Math.floor(Math.random() * 18_000)
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(port, '127.0.0.1', resolve) })
    return String((server.address() as AddressInfo).port)
  } catch {
    return freePort()
  } finally {
    server.close()
  }
}

function adapt (text: string, { ports }: Folder): string {
  return PORTS.reduce(
    (adapted, port, i) => adapted.replaceAll(`:${port}`, `:${ports[i]}`).replaceAll(`port ${port}`, `port ${ports[i]}`),
    text
  )
}

/** Matches output that says the same. */
function patternOf (prints: string, folder: Folder): string {
  return adapt(prints, folder).replaceAll(HOME, folder.dir)
    .replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replace(/\d{4}-\d\d-\d\dT[\d:\\.]+Z/g, String.raw`\S+Z`)
    .replaceAll('…', '[^]*?')
}

async function runScript (t: Test, folder: Folder, { code, prints }: Example): Promise<void> {
  t.ok(
    !code.includes('new BitWorker(') ||
      /dht: false, lsd: false, tracker: false, natUpnp: false, natPmp: false/.test(code),
    'stays on this machine'
  )
  const file = path.join(folder.dir, 'example.mjs')
  await writeFile(file, code)
  const {
    code: exitCode, stdout, stderr
  } = await startProgram(t, [process.execPath, file], { cwd: folder.dir, env: folder.env }).ended
  t.deepEqual([exitCode, stderr], [0, ''], 'a script runs')
  t.match(stdout, new RegExp(`^${patternOf(prints, folder)}$`), 'and prints what it should')
}

async function runShell (t: Test, folder: Folder, blocks: Example[]): Promise<void> {
  if (blocks.length === 0) return
  const bash = startProgram(t, ['/bin/bash', '-euo', 'pipefail'], { cwd: folder.dir, env: folder.env })
  bash.write('exec 2>&1\n')
  for (const [i, { code, prints }] of blocks.entries()) {
    bash.write(`echo '<${i}>'\n${adapt(code, folder)}`)
    // what runs in the background is to be ready before the next block begins
    await printed(bash, new RegExp(`<${i}>\n[^]*${patternOf(prints, folder)}`))
    t.pass(code)
  }
  bash.write('exit\n')
  const { code, stdout } = await bash.ended
  t.equal(code, 0, code === 0 ? 'exit code' : stdout)
}

/** Ends the program when it takes too long: then the error has all that it printed instead. */
async function printed (program: Program, pattern: RegExp): Promise<void> {
  const timer = setTimeout(() => { process.kill(-program.pid, 'SIGKILL') }, DEADLINE_MS)
  try {
    await program.output(pattern)
  } finally {
    clearTimeout(timer)
  }
}

test('what the README says of this clone', async t => {
  const { name, version, scripts, engines } = JSON.parse(await read('package.json')) as
    { name: string, version: string, scripts: Record<string, string>, engines: { node: string } }
  const readme = await read('README.md')
  const lines = blocksOf(readme).filter(isAboutClone).map(({ text }) => text.trim())
  t.ok(
    lines.includes('npm ci && npm run demo') && lines.includes('npm ci && npm test'), 'the two commands to begin with'
  )
  const tarball = `npm install --global ./${name}-${version}.tgz`
  for (const command of lines.flatMap(line => line.split(' && '))) {
    const script = /^npm (?:run )?(\w+)$/.exec(command)?.[1] ?? ''
    t.ok(['npm ci', 'npm pack', tarball].includes(command) || scripts[script] !== undefined, command)
  }
  for (const [, script = ''] of readme.matchAll(/`npm run (\w+)`/g)) {
    t.ok(scripts[script] !== undefined, `there is a script ${script}`)
  }
  t.ok(readme.includes(`Node ${engines.node.replace('>=', '').replace(/\.0$/, '')} or later`), `Node ${engines.node}`)
})

test('the demo prints what the README shows', async t => {
  const shown = textsOf(await read('README.md'), 'text').find(text => text.includes('bitworker processes'))!
  const { dir } = await workspace(t)
  const { code, stdout } = await startProgram(t, [process.execPath, path.join(ROOT, 'examples/demo.ts'), '--quick'], {
    cwd: dir, env: { HOME: dir }
  }).ended
  t.equal(code, 0, 'it runs')
  t.deepEqual(
    shapesOf(stdout), shapesOf(shown).filter(line => line.trim() !== '…'), 'line for line but for the numbers'
  )
})

/**
 * Each kind of line once, with `#` for numbers. Who was faster depends on the machine: demo.test.ts knows what is said
 * of it.
 */
function shapesOf (output: string): string[] {
  const lines = output
    .trim()
    .replace(/[0-9a-f]{64}/g, 'DIGEST')
    .replace(/: \/.*\/demo-output/, ': FOLDER')
    .replace(/\d+(?:\.\d+)?/g, '#')
    .replace(/(one process took # s): .*/, '$1: COMPARED')
    .split('\n')
  return [...new Set(lines)]
}

test('links lead somewhere', async t => {
  for (const document of DOCUMENTS) {
    const links = linksOf(await read(document)).filter(link => !link.startsWith('https://'))
    for (const link of links) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document : path.join(path.dirname(document), file)
      const exists = await stat(path.join(ROOT, target)).catch(() => null)
      t.ok(
        exists !== null && (anchor === undefined || anchorsOf(await read(target)).includes(anchor)),
        `${document}: ${link}`
      )
    }
  }
})

/** Documents that speak of the code. */
const ABOUT_CODE = [
  'docs/ARCHITECTURE.md',
  'docs/internals.md',
  'docs/decisions.md',
  'docs/SECURITY.md',
  'docs/scheduling.md',
  'docs/LIMITS.md'
]

test('documents name files that are there', async t => {
  const folders = ['lib', 'extensions', 'test', 'scripts', 'bench', 'examples']
  const all = await Promise.all(
    folders.map(async folder =>
      (await readdir(path.join(ROOT, folder), { recursive: true })).map(name => `${folder}/${name}`)
    )
  )
  const files = [...all.flat(), 'rolldown.config.ts']
  for (const document of ABOUT_CODE) {
    const named = new Set(
      [...(await read(document)).matchAll(/(?<![\w*-])[\w./-]+\.ts\b/g)].map(([name]) => name.replace(/^(\.\.\/)+/, ''))
    )
    t.deepEqual(
      [...named].filter(name => !files.some(file => file === name || file.endsWith(`/${name}`))), [], document
    )
  }
})

test('docs/ARCHITECTURE.md has a row for each room', async t => {
  const text = await read('docs/ARCHITECTURE.md')
  const rooms = (await readdir(path.join(ROOT, 'lib'), { withFileTypes: true }))
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
  t.deepEqual(rooms.filter(room => !text.includes(`| \`lib/${room}/\` |`)), [])
  t.ok(text.split('\n').length <= 201, 'and is short')
})
