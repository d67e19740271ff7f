import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Bundles the program and what it needs into a folder: its entry points, `cli.js` and `worker-thread.js`, and what they share or load later.
 * @param {string} folder
 * @param {readonly import('rolldown').Plugin[]} [plugins]
 */
export async function bundle(folder, plugins = []) {
  const bundled = await rolldown({
    cwd: ROOT,
    input: { cli: 'src/cli.ts', 'worker-thread': 'src/engine/workers/worker-thread.ts' },
    platform: 'node',
    plugins: [...plugins],
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(message)
    },
  })
  const { output } = await bundled.write({
    dir: join(ROOT, folder),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    comments: { legal: true },
  })
  await bundled.close()
  return output.flatMap((chunk) => (chunk.type === 'chunk' ? [chunk] : []))
}
