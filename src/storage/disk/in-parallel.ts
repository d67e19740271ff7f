/** How many files are looked at at once. */
const AT_ONCE = 32

/** Does `work` for each item, some at a time, and answers in order. Rejects with the first error, once nothing is under way any more. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  const rest = items.entries()
  const errors: unknown[] = []
  const one = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (errors.length > 0) return
      try {
        answers[index] = await work(item)
      } catch (error) {
        errors.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, one))
  if (errors.length > 0) throw errors[0]
  return answers
}
