import { defineConfig } from 'rolldown'
import { lean } from './scripts/lean.ts'
import { bundlePage, pageFiles } from './scripts/page.ts'
import { papers } from './scripts/papers.ts'

const page = await bundlePage()

// One bundle is the only form that installs everywhere without overrides on the consumer's side: WebTorrent's own
// tree needs two (see docs/ARCHITECTURE.md, "The published form").
export default defineConfig({
  input: { index: 'lib/index.ts', cli: 'lib/cli/main.ts' },
  platform: 'node',
  plugins: [lean(), pageFiles(page), papers(page.packages)],
  external: ['node-datachannel', 'utp-native', 'bufferutil', 'utf-8-validate'],
  output: { dir: 'dist', format: 'esm', cleanDir: false, sourcemap: false, comments: { legal: true }, chunkFileNames: 'chunks/[name]-[hash].js' }
})
