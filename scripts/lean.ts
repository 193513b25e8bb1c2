// A rolldown plugin: leaves out what the bundle would load for nothing, a third of the time that a start takes.
import type { Plugin } from 'rolldown'

const MODULES: Record<string, string> = {
  // `import http from 'http'` reads every export; on Node 24 one of them (WebSocket) loads all of undici
  http: 'export default process.getBuiltinModule("node:http")',
  // its Request, Response … load undici, too, and nobody uses them; its node-fetch is for a Node without fetch
  'cross-fetch-ponyfill': 'export default globalThis.fetch'
}
const PREFIX = '\0lean:'

/**
 * `ip` 2.0.1 has open advisories (CVE-2023-42282, CVE-2024-29415), in functions that nobody here calls: they are not in
 * the bundle.
 */
const IP_LEFT_OUT = ['isPrivate', 'isPublic', 'isLoopback']

/** The plugin. Both modules keep their default export only: a build in which somebody wants another one fails. */
export function lean (): Plugin {
  return {
    name: 'lean',
    resolveId: {
      filter: { id: /^(node:)?http$|^cross-fetch-ponyfill$/ },
      // require('http') reads nothing
      handler: (source, _importer, { kind }) =>
        kind === 'require-call' ? null : `${PREFIX}${source.replace(/^node:/, '')}`
    },
    load: {
      filter: { id: /lean:/ },
      handler: id => MODULES[id.slice(PREFIX.length)]
    },
    transform: {
      filter: { id: /node_modules\/ip\/lib\/ip\.js$/ },
      handler: code =>
        IP_LEFT_OUT.reduce((left, name) => {
          const without = left.replace(new RegExp(`^ip\\.${name} = function[\\s\\S]*?^};\\n`, 'm'), '')
          if (without === left) throw new Error(`ip has changed: it has no ${name} that could be left out`)
          return without
        }, code)
    }
  }
}
