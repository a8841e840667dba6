/**
 * Yields what another generator yields, which makes its first item from now on, and each other item while the one before
 * it is worked on. A failure ahead is thrown when its item is requested. Who does not ask for items calls `return`.
 * @param ending  aborted when no more items are requested, so that nobody waits for one made ahead
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
