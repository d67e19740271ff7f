import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The entry points of the program: itself, and a thread of it. */
const ENTRIES = { cli: 'src/cli.ts', 'worker-thread': 'src/engine/workers/worker-thread.ts' }

/**
 * Bundles the program and what it needs into a folder: its entry points, `cli.js` and `worker-thread.js`, and what they share or load later.
 * @param {string} folder
 * @param {readonly import('rolldown').Plugin[]} [plugins]
 */
export async function bundle(folder, plugins = []) {
  const bundled = await opened(plugins)
  const { output } = await bundled.write({
    dir: join(ROOT, folder),
    ...NAMES,
    format: 'esm',
    comments: { legal: true },
  })
  await bundled.close()
  return chunksOf(output)
}

/** The same for a program that finds nothing beside itself: scripts, by the names with which they ask for each other, and the modules in them. */
export async function bundleScripts() {
  const bundled = await opened([alone], { 'import.meta.resolve': 'require.resolve' })
  const minify = { compress: false, mangle: false }
  const { output } = await bundled.generate({ ...NAMES, format: 'cjs', minify })
  await bundled.close()
  return chunksOf(output)
}

const NAMES = { entryFileNames: '[name].js', chunkFileNames: '[name].js' }

/**
 * @param {readonly import('rolldown').Plugin[]} plugins
 * @param {Record<string, string>} [define]
 */
function opened(plugins, define = {}) {
  return rolldown({
    ...{ cwd: ROOT, input: ENTRIES, platform: 'node', plugins: [...plugins], transform: { define } },
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(message)
    },
  })
}

/** @param {readonly (import('rolldown').OutputChunk | import('rolldown').OutputAsset)[]} output */
function chunksOf(output) {
  return output.flatMap((chunk) => (chunk.type === 'chunk' ? [chunk] : []))
}

/** What is beside the program elsewhere is in it: its threads, and the packages that it loads when it needs them. */
const alone = {
  name: 'alone',
  transform: {
    filter: { id: /[\\/]src[\\/].*\.ts$/ },
    /** @param {string} code */
    handler: (code) =>
      code
        .replace("new URL('worker-thread.js', import.meta.url)", 'new URL(import.meta.url)')
        .replace('createRequire(import.meta.url)', 'undefined')
        .replace(/\bload\(('[^']+')\)/, 'require($1)'),
  },
}
