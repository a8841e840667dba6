/**
 * Yields what another generator yields, and lets it make the next item while one is worked on. A failure ahead is
 * thrown when its item is requested.
 * @param ending  aborted when no more items are requested, so that nobody waits for one made ahead
 */
export async function* readAhead<T>(items: AsyncGenerator<T>, ending: AbortController): AsyncGenerator<T> {
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = items.next()
      next.catch(() => {})
      yield value
    }
  } finally {
    ending.abort()
    await items.return(undefined)
  }
}
