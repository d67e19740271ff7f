import type { Placeholder } from './placeholders.js'

/** An option or an argument, as a command declares it: what yargs is to know of it, and what the help and the completion say. */
export interface Option {
  readonly type: 'string' | 'boolean'
  /** In a sentence; what stands before its first `;`, `:` or `(` is enough for a short help. */
  readonly describe: string
  /** What stands for its value; each option that takes one has it, and no other. */
  readonly placeholder?: Placeholder
  /** The values that are offered behind it, where the placeholder does not list them. */
  readonly values?: readonly string[]
  /** What holds when it is not given, in words. */
  readonly otherwise?: string
  /** Its short form, a letter. */
  readonly alias?: string
  /** It may be given several times. */
  readonly array?: true
  readonly nargs?: 1
  readonly requiresArg?: true
  /** Of an argument: it must be there. */
  readonly demandOption?: true
  /** Understood, and in no help. */
  readonly hidden?: true
}

/** What a command declares its options and arguments to. The methods are those of yargs, but for `otherwise`; what is declared again replaces what was before. */
export interface Argv {
  option(name: string, option: Option): Argv
  options(options: Readonly<Record<string, Option>>): Argv
  positional(name: string, argument: Option): Argv
  /** Puts options under a heading of the help, behind those that are there, and takes them from where they were. */
  group(names: readonly string[], heading: string): Argv
  /** Says of options what holds when they are not given. */
  otherwise(names: readonly string[], otherwise: string): Argv
  /** Is called with the flags before the command runs, to put something beside them. */
  middleware(add: (flags: object) => void): Argv
}

/** All that a command has declared. */
export class Declarations implements Argv {
  readonly #options = new Map<string, Option>()
  readonly #positionals = new Map<string, Option>()
  readonly #groups = new Map<string, Set<string>>()
  readonly #middlewares: ((flags: object) => void)[] = []

  option(name: string, option: Option): this {
    this.#options.set(name, option)
    return this
  }

  options(options: Readonly<Record<string, Option>>): this {
    for (const [name, option] of Object.entries(options)) this.option(name, option)
    return this
  }

  positional(name: string, argument: Option): this {
    this.#positionals.set(name, argument)
    return this
  }

  group(names: readonly string[], heading: string): this {
    const there = this.#groups.get(heading) ?? new Set()
    this.#groups.set(heading, there)
    for (const name of names) {
      for (const others of this.#groups.values()) others.delete(name)
      there.add(name)
    }
    return this
  }

  otherwise(names: readonly string[], otherwise: string): this {
    for (const name of names) {
      const option = this.#options.get(name)
      if (option !== undefined) this.option(name, { ...option, otherwise })
    }
    return this
  }

  middleware(add: (flags: object) => void): this {
    this.#middlewares.push(add)
    return this
  }

  /** By their names, in the order in which they were declared first. */
  get all(): ReadonlyMap<string, Option> {
    return this.#options
  }

  /** The arguments by their names, in their order. */
  get positionals(): ReadonlyMap<string, Option> {
    return this.#positionals
  }

  get middlewares(): readonly ((flags: object) => void)[] {
    return this.#middlewares
  }

  /** The names of options by the headings they stand under; those without a heading under that which is given. */
  headed(otherwise: string): ReadonlyMap<string, readonly string[]> {
    const headed = new Map([...this.#groups].map(([heading, names]) => [heading, [...names]]))
    const under = new Set([...headed.values()].flat())
    const rest = [...this.#options.keys()].filter((name) => !under.has(name))
    if (rest.length > 0) headed.set(otherwise, [...(headed.get(otherwise) ?? []), ...rest])
    return new Map([...headed].filter(([, names]) => names.length > 0))
  }
}
