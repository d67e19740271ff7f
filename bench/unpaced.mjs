// Takes the pace away, for the baseline: as many in flight as there are slots, and backoff alone.
const module = String(new URL('../dist/engine/pacer.js', import.meta.url))
const { Pacer } = /** @type {typeof import('../src/engine/pacer.js')} */ (await import(module))

Pacer.prototype.admit = () => 0
