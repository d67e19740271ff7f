// Takes the pace away, for the baseline: as many in flight as there are slots, and backoff alone.
const module = String(new URL('../dist/engine/lanes/pacer.js', import.meta.url))
const { Pacer } = /** @type {typeof import('../src/engine/lanes/pacer.js')} */ (await import(module))

Pacer.prototype.admit = () => 0
