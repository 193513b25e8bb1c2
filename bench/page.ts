// What the web page costs the browser: frames, processor time and memory while pieces change, at 10, 10 000 and
// 1 000 000 pieces.
//   npm run bench:page
import { openPage, startBrowser } from '../test/helpers/browser.ts'
import { code, sceneOf } from '../test/helpers/page-scene.ts'
import { serveScene } from '../test/helpers/page-server.ts'
import { bundlePage } from '../scripts/page.ts'

const SECONDS = 8
const { files } = await bundlePage()
const browser = await startBrowser()

/** The longest task and the longest time between frames, in milliseconds, from now on. */
const WATCH = `
  window.longest = { frame: 0, task: 0 }
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) longest.task = Math.max(longest.task, duration)
  }).observe({ type: 'longtask' })
  let last = performance.now()
  const frame = now => { longest.frame = Math.max(longest.frame, now - last); last = now; requestAnimationFrame(frame) }
  requestAnimationFrame(now => { last = now; frame(now) })`

for (const pieces of [10, 10_000, 1_000_000]) {
  const scene = sceneOf({ pieces, files: pieces < 100 ? ['a.webm'] : ['a.webm', 'b.webm', 'c.webm'] })
  const fake = await serveScene(files, scene)
  const { page } = await openPage(browser, fake.url)
  await page.locator('.legend li').first().waitFor()
  const paint = Number(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
  await page.getByRole('button', { name: 'Show the map' }).click()
  await page.evaluate('new Promise(resolve => { setTimeout(resolve, 2000) })')
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const busy = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'ThreadTime')!.value * 1000
  }
  const before = await busy()
  await page.evaluate(WATCH)
  for (let i = 0; i < SECONDS * 5; i++) {
    const at = (i * 7919) % pieces
    fake.change([[at, 1, code('own')], [(at + 5) % pieces, 1, code('running')]])
    await new Promise(resolve => { setTimeout(resolve, 200) })
  }
  const { frame, task } = await page.evaluate<{ frame: number, task: number }>('longest')
  const work = (await busy() - before) / SECONDS
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = await session.send('Runtime.getHeapUsage')
  const megabytes = (usedSize + embedderHeapUsedSize + backingStorageSize) / 1e6
  console.log(`${pieces} pieces: first paint ${Math.round(paint)} ms, longest time between frames ${Math.round(frame)} ms, ` +
    `longest task ${task === 0 ? 'below 50' : Math.round(task)} ms (on a busy machine both wait for others), ` +
    `main thread ${Math.round(work)} ms of processor time a second, ${megabytes.toFixed(1)} MB`)
  await page.context().close()
  await fake.close()
}
await browser.close()
