// The page in a real Chromium, with a server that says what the test wants: any number of pieces, hostile texts.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import test from 'tape'
import type { Test } from 'tape'
import type { TaskLive } from '../../lib/page/snapshot.ts'
import { bundlePage } from '../../scripts/page.ts'
import { openPage, startBrowser } from '../helpers/browser.ts'
import { code, sceneOf } from '../helpers/page-scene.ts'
import { serveScene } from '../helpers/page-server.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const { files } = await bundlePage()
const browser = await startBrowser()
const FILES = ['a/first.webm', 'a/second.txt', 'b/third.png']
const MB = 1_000_000

interface Findings { violations: Array<{ id: string, nodes: Array<{ html: string }> }> }
type Fake = Awaited<ReturnType<typeof serveScene>>

/** Whether the first bar shows something. */
const PAINTED = `(() => {
  const canvas = document.querySelector('.bar canvas')
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  return data.length > 4 && data.every((value, i) => i % 4 !== 3 || value === 255)
})()`

/** Looks again after each frame, until it is so. */
async function nextFrames (page: Page, isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await page.evaluate('new Promise(requestAnimationFrame)')
}

/** Opens all that is folded. */
async function unfold (page: Page): Promise<void> {
  const folded = page.locator('details:not([open]) > summary')
  while (await folded.count() > 0) await folded.first().press('Enter')
}

const grouped = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f')

async function findings (page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = await page.evaluate<Findings>('axe.run()')
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}

/** Has the page open with a scene; afterwards nothing has gone wrong in it. */
async function withPage (
  t: Test, scene: ReturnType<typeof sceneOf>, run: (page: Page, fake: Fake) => Promise<void>,
  options: Parameters<typeof openPage>[2] = {}
): Promise<void> {
  const fake = await serveScene(files, scene)
  const { page, errors } = await openPage(browser, fake.url, options)
  try {
    await page.locator('h1').first().waitFor()
    await page.locator('.legend li').first().waitFor()
    await run(page, fake)
    t.deepEqual(errors, [], 'no errors in the page')
  } finally {
    await page.context().close()
    await fake.close()
  }
}

for (const pieces of [10, 10_000, 1_000_000]) {
  test(`${pieces} pieces`, async t => {
    const scene = sceneOf({ pieces, files: pieces === 10 ? ['one.txt'] : FILES })
    await withPage(t, scene, async (page, fake) => {
      await nextFrames(page, async () => await page.evaluate(PAINTED))
      t.pass('the bar is painted')
      const failed = scene.states.reduce((sum, state) => sum + (state === code('failed') ? 1 : 0), 0)
      const missing = scene.states.reduce((sum, state) => sum + (state === code('missing') ? 1 : 0), 0)
      await page.locator('.legend').getByText(grouped(missing), { exact: true }).waitFor()
      t.pass('the numbers are those of the states')
      await page.getByRole('button', { name: 'Show the map' }).click()
      const map = page.getByRole('slider', { name: 'Map of pieces' })
      await map.focus()
      await map.press('End')
      await page.getByRole('heading', { name: `Piece ${grouped(pieces - 1)}` }).waitFor()
      t.pass('the last piece is found by a key')
      fake.change([[0, pieces, code('own')]])
      const own = page.locator('.legend li').filter({ hasText: 'computed here' })
      await own.getByText(grouped(pieces), { exact: true }).waitFor()
      t.equal(await page.locator('.legend li').count(), 1, `all of them change at once (${failed} had failed)`)
      const session = await page.context().newCDPSession(page)
      await session.send('HeapProfiler.collectGarbage')
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = await session.send('Runtime.getHeapUsage')
      const used = usedSize + embedderHeapUsedSize + backingStorageSize
      t.ok(used <= 50 * MB, `${Math.round(used / MB * 10) / 10} MB in the tab`)
    })
  })
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 360]) {
    test(`axe has nothing to say: ${colorScheme}, ${width} px`, async t => {
      const scene = sceneOf({ pieces: 500, files: FILES })
      scene.task.live.computing = 'paused'
      scene.task.live.paused = ['by the user']
      scene.task.live.waiting = ['Waits for the input talk.mp4.']
      await withPage(t, scene, async page => {
        t.deepEqual(await findings(page), [], 'as it opens')
        await page.getByRole('button', { name: 'Show the map' }).click()
        await unfold(page)
        await page.getByLabel('Piece', { exact: true }).fill(String(scene.states.indexOf(code('failed'))))
        await page.getByLabel('Piece', { exact: true }).press('Enter')
        await page.getByText('What was tried').waitFor()
        t.deepEqual(await findings(page), [], 'with all of it open')
        await page.getByRole('button', { name: 'Stop…' }).click()
        t.deepEqual(await findings(page), [], 'with the question')
      }, { colorScheme, viewport: { width, height: 800 } })
    })
  }
}

test('one column at 360 px, with targets that a finger meets', async t => {
  await withPage(t, sceneOf({ pieces: 500, files: FILES, name: 'a'.repeat(300) }), async page => {
    await unfold(page)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, 'nothing is wider than the screen')
    const small = await page.evaluate(`[...document.querySelectorAll('button, summary, input, select')].map(each => each.getBoundingClientRect())
      .filter(({ width, height }) => height > 0 && (height < 43.5 || width < 43.5)).length`)
    t.equal(small, 0, 'all at least 44 px')
    t.ok(await page.getByRole('img', { name: 'QR code' }).isVisible(), 'the invitation is open')
  }, { viewport: { width: 360, height: 740 }, hasTouch: true })
})

test('text twice as large', async t => {
  await withPage(t, sceneOf({ pieces: 500, files: FILES }), async page => {
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 1280, 'nothing is cut off')
  })
})

test('by the keyboard alone', async t => {
  const scene = sceneOf({ pieces: 500, files: FILES })
  const failed = scene.states.indexOf(code('failed'))
  await withPage(t, scene, async (page, fake) => {
    const focused = async (): Promise<string> => await page.evaluate(
      '(document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent).trim()')
    const goTo = async (name: string): Promise<void> => {
      for (let i = 0; i < 80 && await focused() !== name; i++) await page.keyboard.press('Tab')
      t.equal(await focused(), name, 'reached by Tab')
    }
    await goTo('Pause')
    t.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none', 'one sees where one is')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    await goTo('One more')
    await page.keyboard.press('Space')
    await page.getByText('7 at a time').waitFor()
    await goTo('Show the map')
    await page.keyboard.press('Enter')
    await goTo('Map of pieces')
    await page.keyboard.press('Home')
    for (let i = 0; i < failed; i++) await page.keyboard.press('ArrowRight')
    const map = page.getByRole('slider', { name: 'Map of pieces' })
    t.equal(await map.getAttribute('aria-valuetext'), `Piece ${failed}: failed here, ${scene.task.files.findLast(({ first }) => first <= failed)!.path}`)
    await page.getByRole('button', { name: 'Retry here' }).waitFor()
    await goTo('Retry here')
    await page.keyboard.press('Enter')
    await goTo('Show a/second.txt')
    t.deepEqual(fake.actions, [{ do: 'pause' }, { do: 'slots', slots: 7 }, { do: 'retry', piece: failed }])
    await page.getByRole('button', { name: 'Stop…' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.equal(fake.actions.length, 3, 'nothing is stopped without the answer')
  })
})

test('reload in the middle, and a client that is gone for a moment', async t => {
  const scene = sceneOf({ pieces: 1000 })
  await withPage(t, scene, async (page, fake) => {
    const own = page.locator('.legend li').filter({ hasText: 'computed here' }).locator('b')
    fake.change([[0, 900, code('own')]])
    await page.getByText('900', { exact: true }).waitFor()
    await page.reload()
    await page.getByText('900', { exact: true }).waitFor()
    t.pass('after a reload')
    scene.states.fill(code('own'))
    fake.cut()
    await own.filter({ hasText: '1\u202f000' }).waitFor()
    t.pass('what has changed meanwhile is there after the connection')
    await page.getByText('The client does not answer').waitFor({ state: 'detached' })
    fake.send('end', { done: true })
    await page.getByText('The client has ended. Start it again').waitFor()
    t.equal(await page.getByRole('button', { name: 'Pause' }).count(), 0, 'nothing to steer any more')
  })
})

test('a wrong token', async t => {
  const fake = await serveScene(files, sceneOf({ pieces: 10 }))
  const { page } = await openPage(browser, fake.url.replace(/#.*/, '#wrong'))
  await page.getByText('This link is not valid').waitFor()
  t.deepEqual([await page.locator('.bar').count(), fake.streams()], [0, 0], 'nothing is shown')
  await page.context().close()
  await fake.close()
})

test('HTML, ANSI and RTL in names, commands and stderr are text', async t => {
  const hostile = '<img src=x onerror="document.title=\'owned\'">\u202eexe.png\x1b[31mred</script><script>alert(1)</script>'
  const shown = hostile.replace('\u202e', '\\u{202e}').replace('\x1b', '\\x1b')
  const scene = sceneOf({ pieces: 200, name: hostile, command: hostile, stderr: hostile, files: [`${hostile}.txt`] })
  scene.task.comment = hostile
  scene.task.signed = hostile
  scene.peers[0]!.name = hostile
  scene.peers[0]!.client = '\u05d0\u05d1\u05d2 RTL'
  scene.messages[0]!.text = hostile
  scene.previews = { 0: ['text/plain', Buffer.from(hostile)] }
  await withPage(t, scene, async page => {
    await page.evaluate('document.querySelectorAll(\'details\').forEach(each => { each.open = true })')
    t.equal(await page.locator('h1').textContent(), shown, 'the name')
    await page.getByRole('button', { name: 'Show the map' }).click()
    await page.getByLabel('Piece', { exact: true }).fill(String(scene.states.indexOf(code('failed'))))
    await page.getByLabel('Piece', { exact: true }).press('Enter')
    await page.locator('.attempts pre').first().waitFor()
    t.equal(await page.locator('.attempts pre').first().textContent(), shown, 'stderr')
    t.equal(await page.getByRole('region', { name: 'Command of a piece' }).textContent(), shown, 'the command')
    await page.getByRole('button', { name: 'Show <img' }).click()
    await page.locator('pre.preview').filter({ hasText: 'onerror' }).waitFor()
    t.equal(await page.locator('pre.preview').textContent(), shown, 'the preview')
    t.deepEqual(await page.evaluate('[document.images.length, document.scripts.length]'), [0, 1], 'no element comes of it')
    t.notOk((await page.title()).startsWith('owned'))
    const loose = await page.evaluate(`[...document.querySelectorAll('h1, .verdict, td')].filter(each =>
      each.textContent.includes('RTL') && each.querySelector('bdi') === null).length`)
    t.equal(loose, 0, 'its direction stays inside')
    t.deepEqual(await findings(page), [])
  })
})

test('steps, failures and the end are said, and nothing else', async t => {
  const scene = sceneOf({ pieces: 1000 })
  const { live } = scene.task
  const at = (stored: number): TaskLive =>
    ({ ...live, pieces: { ...live.pieces, stored }, done: stored === 1000 })
  await withPage(t, scene, async (page, fake) => {
    const said = page.locator('main > [role=status]')
    t.equal(await said.textContent(), '', 'silent at first')
    fake.send('live', at(605))
    await said.filter({ hasText: '60 percent done' }).waitFor()
    fake.send('live', at(606))
    await page.locator('.of b').filter({ hasText: '606' }).waitFor()
    t.equal(await said.textContent(), '60 percent done', 'not each piece')
    fake.send('messages', [{ id: 9, at: Date.now(), kind: 'info', text: 'Something.', piece: null }, { id: 10, at: Date.now(), kind: 'failure', text: 'Piece 7 failed.', piece: 7 }])
    await said.filter({ hasText: 'Piece 7 failed.' }).waitFor()
    fake.send('live', at(1000))
    await said.filter({ hasText: 'The task is done' }).waitFor()
    t.pass('the end')
  })
})

test.onFinish(() => { void browser.close() })
