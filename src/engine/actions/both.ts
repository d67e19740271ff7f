/** Waits for both, whatever becomes of one: what is in flight is what the slots count. Rejects as the first that did. */
export async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [one, other] = await Promise.allSettled([a, b])
  if (one.status === 'rejected') throw one.reason
  if (other.status === 'rejected') throw other.reason
  return [one.value, other.value]
}
