import { LayerpruneError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'
import type { GraphProto } from '../../model/graph/onnx/onnx.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** How many tokens a graph has embeddings for: rows of its token table; Infinity if there is none. */
export function countTokenRows({ node, initializer }: GraphProto): number {
  const table = node.find(({ opType, input }) => opType.startsWith('Gather') && input[1] === 'input_ids')?.input[0]
  // a head that is tied to the embedding is stored as the head multiplies with it
  const tied = node.find(({ opType, output }) => opType === 'Transpose' && output[0] === table)?.input[0]
  const dims = initializer.find(({ name }) => name === (tied ?? table))?.dims
  const rows = tied === undefined ? dims?.[0] : dims?.at(-1)
  return rows === undefined ? Infinity : Number(rows)
}

/**
 * A damaged tokenizer.json can give any value as an id, and a graph takes some of those for another token.
 * @throws LayerpruneError if an id of a text is not a whole number from 0 to less than `rows`
 */
export function assertTokenIds({ ids, origin }: EncodedText, rows: number): void {
  const token = ids.findIndex((id) => !(Number.isSafeInteger(id) && id >= 0 && id < rows))
  if (token < 0) return
  const found = String(JSON.stringify(ids[token])).slice(0, 40)
  const limit = rows === Infinity ? 'of at least 0' : `from 0 to ${formatCount(rows - 1)}`
  throw new LayerpruneError(`token ${token} of ${origin} has the id ${found}, expected a whole number ${limit}`, {
    hint: 'tokenizer.json is damaged or belongs to another model',
  })
}
