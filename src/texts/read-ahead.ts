/**
 * Yields what another generator yields, and lets it make the next item while one is worked on. What fails ahead is
 * thrown once it is asked for.
 * @param ending  aborted where no more is asked for, so that nobody waits for what is made ahead
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
