// A rolldown plugin: leaves out what the bundle would load for nothing, a third of the time that a start takes.
import type { Plugin } from 'rolldown'

const MODULES: Record<string, string> = {
  // `import http from 'http'` reads every export; on Node 24 one of them (WebSocket) loads all of undici
  http: 'export default process.getBuiltinModule("node:http")',
  // its Request, Response … load undici, too, and nobody uses them; its node-fetch is for a Node without fetch
  'cross-fetch-ponyfill': 'export default globalThis.fetch'
}
const PREFIX = '\0lean:'

/** The plugin. Both modules keep their default export only: a build in which somebody wants another one fails. */
export function lean (): Plugin {
  return {
    name: 'lean',
    resolveId: {
      filter: { id: /^(node:)?http$|^cross-fetch-ponyfill$/ },
      // require('http') reads nothing
      handler: (source, _importer, { kind }) => kind === 'require-call' ? null : `${PREFIX}${source.replace(/^node:/, '')}`
    },
    load: {
      filter: { id: /lean:/ },
      handler: id => MODULES[id.slice(PREFIX.length)]
    }
  }
}
