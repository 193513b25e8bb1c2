// The page as the package has it: complete, without anything from elsewhere, within its budget (which scripts/page.ts
// enforces).
import test from 'tape'
import { bundlePage } from '../../scripts/page.ts'

test('the page is bundled', async t => {
  const { files } = await bundlePage()
  t.deepEqual([...files.keys()].sort(), ['icon.svg', 'index.html', 'page.css', 'page.js'])
  const html = files.get('index.html')!
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!)
  t.deepEqual(named.filter(name => !files.has(name)), [], 'it asks for its own files only')
  t.doesNotMatch(html, /<script(?![^>]* src=)|<style| style=| on\w+=/, 'nothing inline: the CSP forbids it')
  t.doesNotMatch(files.get('page.css')!, /url\(|@import/)
  t.doesNotMatch(files.get('page.js')!, /\beval\(|new Function\(/)
})
