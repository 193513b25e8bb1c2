/** The version, without loading the library: `bitworker --version` must be quick. */
import manifest from '../package.json' with { type: 'json' }

/** As in package.json. */
export const version: string = manifest.version
