/** Sequences that start alike, merged: every path from the root is one sequence or the start of some. */
export interface PrefixTree {
  /** Indices of the sequences that end here. */
  ends: number[]
  /** Longer sequences, by their next item. */
  next: Map<number, PrefixTree>
}

/** Merges sequences by their common prefixes, so that each prefix is processed once. */
export function buildPrefixTree(sequences: number[][]): PrefixTree {
  const root: PrefixTree = { ends: [], next: new Map() }
  for (const [index, sequence] of sequences.entries()) {
    let node = root
    for (const item of sequence) {
      let next = node.next.get(item)
      if (next === undefined) {
        next = { ends: [], next: new Map() }
        node.next.set(item, next)
      }
      node = next
    }
    node.ends.push(index)
  }
  return root
}
