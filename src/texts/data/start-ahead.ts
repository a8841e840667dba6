/**
 * Passes on what is made of items, in their order, and starts several at a time.
 * @param start  what is made of an item; a failure is thrown in its turn, as is one of the items themselves
 * @param most   how many may be started, given the latest item; no further item is asked for then
 */
export async function* startAhead<Item, Result>(
  items: AsyncIterable<Item>,
  start: (item: Item) => Result | Promise<Result>,
  most: (item: Item) => number,
): AsyncGenerator<Result> {
  const started: (Result | Promise<Result>)[] = []
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = iterator.next()
      // it is thrown after the results of the items before it
      const item = await next.catch(() => undefined)
      if (item === undefined || item.done) {
        while (started.length > 0) yield await started.shift()!
        await next
        return
      }
      const result = start(item.value)
      if (result instanceof Promise) result.catch(() => {})
      started.push(result)
      while (started.length >= most(item.value)) yield await started.shift()!
    }
  } finally {
    await iterator.return?.()
  }
}
