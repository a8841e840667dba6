import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { dimensions, type GraphProto } from '../../model/graph/onnx/onnx.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import type { AskedBatch } from './gram-source.js'
import { RUN_TOKENS } from './memory-figures.js'

/** Texts of a batch that run at once, padded on the right to the longest. */
export interface Run {
  texts: EncodedText[]
  /** Tokens of the longest text. */
  tokens: number
  /** Tokens asked for. */
  positions: Position[]
}

/** A token of a run. */
type Position = [text: number, token: number]

export interface RunLimits {
  /** Padded tokens at most, unless it is one text. */
  tokens: number
  /** Texts that the graph takes at once, if it takes no other number. */
  fixedBatch: number | null
}

export function chooseRunLimits({ model }: Pick<DecoderGraph, 'model'>): RunLimits {
  return { tokens: RUN_TOKENS, fixedBatch: findFixedBatch(model.graph) }
}

/** Splits a batch into runs, or into one if the graph's batch size is fixed; throws as `assertBatchSize`. */
export function splitIntoRuns({ texts, asked }: AskedBatch, { tokens, fixedBatch }: RunLimits): Run[] {
  assertBatchSize(texts.length, fixedBatch)
  const ranges: [start: number, end: number][] = []
  let start = 0
  let longest = 0
  for (const [index, { ids }] of texts.entries()) {
    longest = Math.max(longest, ids.length)
    if (fixedBatch === null && index > start && (index + 1 - start) * longest > tokens) {
      ranges.push([start, index])
      start = index
      longest = ids.length
    }
  }
  return [...ranges, [start, texts.length] as const].map(([start, end]) => ({
    texts: texts.slice(start, end),
    tokens: longestOf(texts.slice(start, end)),
    positions: asked.slice(start, end).flatMap((tokens, text) => tokens.map((token): Position => [text, token])),
  }))
}

/** How many texts a graph takes at once, if it is exported for one batch size; null if it takes any number. */
export function findFixedBatch({ input }: GraphProto): number | null {
  const ids = input.find(({ name }) => name === 'input_ids')
  const size = ids && dimensions(ids)[0]
  return typeof size === 'number' ? size : null
}

/** @throws LayerpruneError if the graph takes another number of texts at once */
export function assertBatchSize(texts: number, fixedBatch: number | null): void {
  if (fixedBatch === null || fixedBatch === texts) return
  throw new LayerpruneError(`the graph takes batches of ${formatQuantity(fixedBatch, 'text')} only, not of ${texts}`, {
    hint: nameOption('batchSize', fixedBatch),
  })
}
