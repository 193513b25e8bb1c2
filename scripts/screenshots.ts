// Makes the pictures of the web page in docs/images/: npm run screenshots. Chromium shows the page with the data of a
// task that does not exist, at a time that stands still, so that the same page gives the same pictures.
import type { BrowserContextOptions, Page } from 'playwright-core'
import { openPage, startBrowser } from '../test/helpers/browser.ts'
import { code, sceneOf } from '../test/helpers/page-scene.ts'
import { serveScene } from '../test/helpers/page-server.ts'
import { bundlePage } from './page.ts'

const NOW = Date.UTC(2026, 10, 28, 15, 20)
const FILES = ['day-1/opening.webm', 'day-1/graphs.webm', 'day-2/proofs.webm']
const scene = sceneOf({ pieces: 6000, files: FILES, now: NOW })
scene.task.live.timeLeftMs = 6_060_000

const openMap = async (page: Page): Promise<void> => { await page.getByRole('button', { name: 'Show the map' }).click() }
const SHOTS: Record<string, { options: BrowserContextOptions, prepare?: (page: Page) => Promise<void> }> = {
  'page-light': { options: { viewport: { width: 1280, height: 960 } } },
  'page-dark': { options: { viewport: { width: 1280, height: 960 }, colorScheme: 'dark' }, prepare: openMap },
  'page-piece': {
    options: { viewport: { width: 1280, height: 800 } },
    prepare: async page => {
      await openMap(page)
      const piece = page.getByLabel('Piece', { exact: true })
      await piece.fill(String(scene.states.lastIndexOf(code('failed'), 2800)))
      await piece.press('Enter')
      await page.getByText('What was tried').waitFor()
      await page.evaluate("document.querySelector('.piece').scrollIntoView({ block: 'end', behavior: 'instant' }); document.activeElement.blur()")
    }
  },
  'page-phone': { options: { viewport: { width: 360, height: 780 }, hasTouch: true } }
}

const fake = await serveScene((await bundlePage()).files, scene)
const browser = await startBrowser()
for (const [name, { options, prepare }] of Object.entries(SHOTS)) {
  const { page } = await openPage(browser, 'about:blank', { deviceScaleFactor: 2, ...options })
  await page.clock.setFixedTime(NOW)
  await page.goto(fake.url)
  await page.locator('.legend li').first().waitFor()
  await prepare?.(page)
  // two rounds of painting: the states, and the sizes of what was opened
  await page.evaluate('new Promise(resolve => { setTimeout(() => requestAnimationFrame(resolve), 1200) })')
  await page.screenshot({ path: `docs/images/${name}.png` })
  await page.context().close()
}
await browser.close()
await fake.close()
