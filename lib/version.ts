/** The version, without loading the library: `bitworker --version` must be fast. */
import manifest from '../package.json' with { type: 'json' }

/** The version in package.json. */
export const version: string = manifest.version
