import manifest from '../package.json' with { type: 'json' }

/** The version of the installed package, such as `0.1.0`. */
export function version(): string {
  return manifest.version
}
