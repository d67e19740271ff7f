import { fileURLToPath } from 'node:url'
import { bundle } from '../scripts/bundle.mjs'

/** Where what is not bundled is still found. */
const FOLDER = 'node_modules/.cache/unpaced'

/** @type {Promise<string> | undefined} */
let built

/** The path of the program without its pace, for the baseline: as many in flight as there are slots, and backoff alone. It is built once. */
export function unpaced() {
  return (built ??= build())
}

async function build() {
  await bundle(FOLDER, [
    {
      name: 'unpaced',
      transform: {
        filter: { id: /[\\/]lanes[\\/]pacer\.ts$/ },
        handler: (code) => `${code}\nPacer.prototype.admit = () => 0\n`,
      },
    },
  ])
  return fileURLToPath(new URL(`../${FOLDER}/cli.js`, import.meta.url))
}
