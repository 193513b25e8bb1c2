/** docs/errors.md lists the codes that there are, and each of them once. */
import { readFile } from 'node:fs/promises'
import test from 'tape'
import { filesLike } from '../helpers/files.ts'
import { sectionsOf } from '../helpers/markdown.ts'

const ROW = /^\| `(BW_ERR_[A-Z_]+)` \| (.+) \| (.+) \|$/gm

const document = await readFile('docs/errors.md', 'utf8')
const sources = filesLike('lib/**/*.ts', 'extensions/**/*.ts').filter(file => file !== 'lib/base/errors.ts')
const source = (await Promise.all(sources.map(file => readFile(file, 'utf8')))).join('\n')
const documented = [...document.matchAll(ROW)].map(([, code = '']) => code)

/** Codes that a pattern finds in the source; one that ends with an underscore is only the beginning of codes. */
function codesIn (pattern: RegExp): string[] {
  return [...new Set([...source.matchAll(pattern)].map(([, code = '']) => code))]
    .filter(code => !code.endsWith('_'))
    .sort()
}

test('every code that is thrown, or promised by a comment, is in docs/errors.md', t => {
  t.deepEqual(codesIn(/\b(BW_ERR_[A-Z_]+)/g).filter(code => !documented.includes(code)), [], 'none is missing')
  t.end()
})

test('every code in docs/errors.md is thrown', t => {
  const thrown = codesIn(/'(BW_ERR_[A-Z_]+)'/g)
  t.deepEqual(documented.filter(code => !thrown.includes(code)), [], 'none is unknown')
  t.end()
})

test('the type ErrorCode is these', async t => {
  const codes = [...(await readFile('lib/base/errors.ts', 'utf8')).matchAll(/^ *\| '(BW_ERR_[A-Z_]+)'/gm)].map(
    ([, code = '']) => code
  )
  t.deepEqual(codes.toSorted(), documented.toSorted(), 'no other')
})

test('a code has one row, which can be found', t => {
  t.equal(new Set(documented).size, documented.length, 'none stands there twice')
  t.equal(document.match(/^\| `BW_/gm)?.length, documented.length, 'every row has its three cells')
  for (const group of sectionsOf(document.replace(/^###/gm, '##')).slice(1)) {
    const codes = [...group.text.matchAll(ROW)].map(([, code = '']) => code)
    t.deepEqual(codes, codes.toSorted((a, b) => order(a, b)), `${group.title}: in alphabetical order`)
  }
  t.end()
})

/** As a person sorts: word by word. */
function order (a: string, b: string): number {
  return a.replaceAll('_', ' ') < b.replaceAll('_', ' ') ? -1 : 1
}
