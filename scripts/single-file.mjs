import { bundleScripts } from './bundle.mjs'

/**
 * The program as one file, with the modules that are in it. Its scripts are texts in it, compiled when they are needed: to parse them all takes longer than a
 * short run. A thread is the same file.
 * @param {(modules: readonly string[]) => string} licencesOf
 */
export async function singleFile(licencesOf) {
  const chunks = await bundleScripts()
  const scripts = chunks.map(({ fileName, code }) => `${JSON.stringify(fileName)}: ${ascii(code)},`)
  const licences = licencesOf(chunks.flatMap(({ moduleIds }) => moduleIds)).replaceAll('*/', '* /')
  return `#!/usr/bin/env node
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { compileFunction, constants } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

const file = fileURLToPath(import.meta.url)
const beside = createRequire(import.meta.url)
const loaded = new Map()
const scripts = {
${scripts.join('\n')}
}

function load(name) {
  const script = name.startsWith('./') ? scripts[name.slice(2)] : undefined
  if (script === undefined) return beside(name)
  const before = loaded.get(name)
  if (before !== undefined) return before.exports
  const module = { exports: {} }
  loaded.set(name, module)
  compileFunction(script, ['require', 'module', 'exports', '__filename'], {
    filename: \`\${file}/\${name.slice(2)}\`,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).call(module.exports, load, module, module.exports, file)
  return module.exports
}

load(isMainThread ? './cli.js' : './worker-thread.js')
/*
${licences}*/
`
}

/**
 * As a string literal that has a byte for each character, which V8 reads in half the time.
 * @param {string} text
 */
function ascii(text) {
  return JSON.stringify(text).replace(/[^\0-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
