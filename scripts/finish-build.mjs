import { chmodSync } from 'node:fs'

// tsc does not keep the mode of the entry point, and npm link uses it as it is.
chmodSync(new URL('../dist/cli.js', import.meta.url), 0o755)
