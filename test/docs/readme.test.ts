/** Does what README.md and docs/ tell people to do, and follows their links; test/docs/tutorials/ has the tutorials. */
import { readFile, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { workspace } from '../helpers/cli.ts'
import { hasExamples, isAboutClone, testExamples } from '../helpers/documents.ts'
import { anchorsOf, blocksOf, linksOf, textsOf } from '../helpers/markdown.ts'
import { startProgram } from '../helpers/shell.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  ...(await readdir(path.join(ROOT, 'docs'), { recursive: true }))
    .filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
]

async function read (document: string): Promise<string> {
  return readFile(path.join(ROOT, document), 'utf8')
}

for (const document of DOCUMENTS) {
  const markdown = await read(document)
  if (document.startsWith('docs/tutorials/') || !hasExamples(markdown)) continue
  test(`${document}: the examples`, async t => {
    await testExamples(t, markdown)
  })
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
    // a lot in a hundred is drawn
    .replace(/, and computed \d+ of them again as a check$/gm, '')
    .replace(/[0-9a-f]{64}/g, 'DIGEST')
    .replace(/: \/.*\/demo-output/, ': FOLDER')
    .replace(/\d+(?:\.\d+)?/g, '#')
    .replace(/(one process took # s): .*/, '$1: COMPARED')
    .split('\n')
  return [...new Set(lines)]
}

test('each tutorial has a test', async t => {
  const [texts, tests] = await Promise.all(
    ['docs/tutorials', 'test/docs/tutorials'].map(async folder => readdir(path.join(ROOT, folder)))
  )
  t.deepEqual(tests!.map(name => name.replace('.test.ts', '.md')).sort(), texts!.sort())
})

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
  'docs/verification.md',
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
