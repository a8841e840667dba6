/**
 * Prefetches one item ahead: starts at once, then prepares each item while the caller handles the previous one. A
 * failure is thrown when its item is requested. Call `return` if you never iterate.
 * @param ending  aborted when no more items are requested, so that nobody waits for the prefetched one
 */
export function readAhead<T>(items: AsyncGenerator<T>, ending: AbortController): AsyncGenerator<T> {
  const ahead = passOn(items, ending)
  // a generator that has not begun would not end what it reads from either
  void ahead.next()
  return ahead as AsyncGenerator<T>
}

/** Begins with an undefined item. */
async function* passOn<T>(items: AsyncGenerator<T>, ending: AbortController): AsyncGenerator<T | undefined> {
  let next = items.next()
  next.catch(() => {})
  try {
    yield undefined
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
