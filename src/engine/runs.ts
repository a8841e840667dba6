import { LayerpruneError } from '../errors.js'
import { formatQuantity } from '../format-numbers.js'
import { dimensions, type GraphProto } from '../graph/onnx.js'
import type { EncodedText } from '../texts/windows.js'

/** Padded tokens run at once, at most, unless one text is longer: more would not stay in the processor's caches. */
export const RUN_TOKENS = 1024

/** A batch of texts and, for each text, places of tokens in it. */
export interface AskedBatch {
  texts: EncodedText[]
  asked: number[][]
}

/** Texts of a batch that run at once, padded on the right to the longest. */
export interface Run {
  texts: EncodedText[]
  /** Of the longest text. */
  tokens: number
  /** Tokens asked for. */
  positions: Position[]
}

/** A token of a run. */
type Position = [text: number, token: number]

/**
 * Splits a batch into runs of at most RUN_TOKENS tokens each, padding included, or one text.
 * @param fixedBatch texts that the graph takes at once, where it takes no other number: the batch is one run then
 * @throws LayerpruneError where the batch is not as large as the graph demands
 */
export function splitIntoRuns({ texts, asked }: AskedBatch, fixedBatch: number | null): Run[] {
  if (fixedBatch !== null && fixedBatch !== texts.length) {
    throw new LayerpruneError(
      `the graph takes batches of ${formatQuantity(fixedBatch, 'text')} only, not of ${texts.length}`,
      {
        hint: `--batch-size ${fixedBatch}`,
      },
    )
  }
  const ranges: [start: number, end: number][] = []
  let start = 0
  let longest = 0
  for (const [index, { ids }] of texts.entries()) {
    longest = Math.max(longest, ids.length)
    if (fixedBatch === null && index > start && (index + 1 - start) * longest > RUN_TOKENS) {
      ranges.push([start, index])
      start = index
      longest = ids.length
    }
  }
  return [...ranges, [start, texts.length] as const].map(([start, end]) => ({
    texts: texts.slice(start, end),
    tokens: Math.max(...texts.slice(start, end).map(({ ids }) => ids.length)),
    positions: asked
      .slice(start, end)
      .flatMap((tokens, text) => tokens.map((token): Position => [text, token])),
  }))
}

/** Texts that a graph takes at once; null where it takes any number. */
export function findFixedBatch({ input }: GraphProto): number | null {
  const size = dimensions(input.find(({ name }) => name === 'input_ids')!)[0]
  return typeof size === 'number' ? size : null
}
