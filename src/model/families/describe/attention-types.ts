/**
 * Expands GPT-Neo's [[kinds, repeats], ...] to a list of kinds.
 * @returns undefined if it has another form or more kinds than there are layers
 */
export function expandAttentionTypes(types: unknown, layers: number): unknown[] | undefined {
  const kinds: unknown[] = []
  for (const item of Array.isArray(types) ? types : []) {
    const [cycle, repeats] = Array.isArray(item) ? item : []
    if (!Array.isArray(cycle) || !Number.isSafeInteger(repeats)) return undefined
    if (cycle.length === 0 || cycle.length * repeats > layers) return undefined
    for (let repeat = 0; repeat < repeats; repeat++) kinds.push(...cycle)
  }
  return kinds
}
