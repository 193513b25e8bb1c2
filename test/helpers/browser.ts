/**
 * Chromium, of the system, driven by playwright-core: started once for a test file.
 */
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'

/** `errors`: what went wrong in the page. */
export interface Opened { page: Page, errors: string[] }

export async function startBrowser (): Promise<Browser> {
  // root has no sandbox of its own in a container; the pages are ours
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']
  return await chromium.launch({ executablePath: CHROMIUM, args })
}

/** A page in a context of its own. */
export async function openPage (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const viewport = { width: 1280, height: 900 }
  const context = await browser.newContext({ viewport, locale: 'en-GB', timezoneId: 'UTC', ...options })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  page.on('console', message => { if (message.type() === 'error') errors.push(message.text()) })
  await page.goto(url)
  return { page, errors }
}
