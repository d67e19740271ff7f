/** What a person should know of a folder or a store: of each thing that is no object, and of other kinds the first. */
export interface Notice {
  /** `not-supported` is followed by what, and by which store; `sends-more` by which server; `not-kept` and `not-told` by a property of objects. */
  readonly kind:
    | 'not-a-key'
    | 'other-attributes'
    | 'not-looked-at'
    | `${'not-supported' | 'sends-more' | 'not-kept' | 'not-told'} ${string}`
  readonly message: string
}

/** How much is told one by one of what is no object. */
const MOST_TOLD = 1_000

/** Passes on each notice of what is no object once, and of every other kind the first. */
export function toldOnce(tell: (notice: Notice) => void): (notice: Notice) => void {
  const told = new Set<string>()
  return (notice) => {
    const isNoKey = notice.kind === 'not-a-key'
    const name = isNoKey ? notice.message : notice.kind
    if (told.has(name) || (isNoKey && told.size > MOST_TOLD)) return
    told.add(name)
    tell(
      isNoKey && told.size > MOST_TOLD
        ? { kind: notice.kind, message: 'what else is no object is not told of one by one' }
        : notice,
    )
  }
}
