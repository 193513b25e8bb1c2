/**
 * Runs what a document tells people to run. One bash for each section with shell blocks, so that a block finds what
 * those before it left; one folder for each document. What stands in a `text` block must be printed, in that order.
 *
 * Written there for people, but changed here: ports (others may have them), the folder, dates. `…` stands for anything.
 */
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Test } from 'tape'
import { workspace } from './cli.ts'
import { blocksOf, sectionsOf } from './markdown.ts'
import type { Block } from './markdown.ts'
import { startProgram } from './shell.ts'
import type { Program } from './shell.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HOME = '/home/ada/squares'
const PORTS = ['8000', '20000']
const DEADLINE_MS = 240_000

/**
 * Keeps examples on this machine: discovery is off unless they name a tracker or node of their own, which must be here.
 * Where there is a tracker for them, they find each other through it, as they would through the DHT. `…` in a magnet
 * link stands for the info-hash of the task file of that name. Who has only a link is somebody else, with another home.
 */
const BITWORKER = `#!/bin/bash
bitworker () { ${process.execPath} ${path.join(ROOT, 'lib/cli/main.ts')} "$@"; }
args=("$@")
for i in "\${!args[@]}"; do
  [[ \${args[i]} == magnet:*btih:…* ]] || continue
  args[i]=$(bitworker info "\${args[i]##*dn=}.bitworker" --json | grep -o 'magnet:[^"]*')
  [[ $* =~ \\ -o\\ ([a-z]+) ]] && export HOME=$HOME/\${BASH_REMATCH[1]}
done
set -- "\${args[@]}"
case "$1 $*" in
  run\\ *|info\\ *magnet:*)
    [[ " $* " =~ \\ (--announce|--dht-bootstrap|--no-) ]] ||
      set -- "$@" --no-dht --no-lsd --no-nat \${TRACKER:+--announce $TRACKER}
    for flag in --no-lsd --no-nat; do [[ " $* " == *" $flag "* ]] || { echo "$flag is missing"; exit 99; }; done
    [[ " $* " =~ \\ (--no-dht|--dht-bootstrap\\ 127\\.0\\.0\\.1:[0-9]+)\\  ]] || { echo 'it would use the public DHT'; exit 99; } ;;
esac
exec ${process.execPath} ${path.join(ROOT, 'lib/cli/main.ts')} "$@"
`

/** Which blocks are about the clone, not about the command. */
export const isAboutClone = ({ language, text }: Block): boolean => language === 'sh' && text.startsWith('npm ')

/**
 * Runs the examples of a document, section by section. Resolves with the folder in which they ran.
 * @param tracker through which the peers of the examples find each other; default: they name one themselves
 */
export async function testExamples (t: Test, markdown: string, tracker = ''): Promise<string> {
  const folder = await createProject(t, tracker)
  for (const { title, text } of sectionsOf(markdown)) {
    const blocks = examplesOf(text)
    if (blocks.length > 0) t.comment(title)
    for (const example of blocks.filter(({ language }) => language === 'js')) await runScript(t, folder, example)
    await runShell(t, folder, blocks.filter(({ language }) => language === 'sh'))
  }
  return folder.dir
}

/** Whether a document has any. */
export function hasExamples (markdown: string): boolean {
  return examplesOf(markdown).length > 0
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
async function createProject (t: Test, tracker: string): Promise<Folder> {
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
  return { dir, ports, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: root, XDG_CONFIG_HOME: '', TRACKER: tracker } }
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
    bash.write(`echo '<${i}>'\n{\n${adapt(code, folder)}} < /dev/null\n`)
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
