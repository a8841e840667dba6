import type { GraphWriter } from '../graph/onnx/graph-writer.js'

/**
 * Selects two experts for each token as SparseMixer does in inference. Each is weighted by a softmax over the experts
 * not yet selected whose logit is near the largest; the two weights are not normalized together.
 * @param logits float32 [tokens, count]
 * @param near largest distance from the largest logit, relative to the larger magnitude of the two
 * @returns weights (float32) and indices (int64) of each token's experts, both [tokens, 2]
 */
export function writeSparseMixer(
  writer: GraphWriter,
  logits: string,
  count: number,
  near: number,
): [shares: string, chosen: string] {
  const [values, chosen] = writer.ops('TopK', [logits, writer.integers([2])], 2, { axis: -1 })
  const [first, second] = writer.ops('Split', [values!, writer.integers([1, 1])], 2, { axis: 1 })
  const [firstExpert] = writer.ops('Split', [chosen!, writer.integers([1, 1])], 2, { axis: 1 })
  const never = writer.float(Number.NEGATIVE_INFINITY)
  const share = (largest: string, candidates: string) => {
    const size = writer.op('Max', [writer.op('Abs', [logits]), largest])
    const distance = writer.op('Div', [writer.op('Sub', [largest, logits]), size])
    const isFar = writer.op('Greater', [distance, writer.float(near)])
    const shares = writer.op('Softmax', [writer.op('Where', [isFar, never, candidates])], { axis: -1 })
    return writer.op('ReduceMax', [shares, writer.integers([1])], { keepdims: 1 })
  }
  const every = writer.integers(
    Array.from({ length: count }, (_, index) => index),
    [1, count],
  )
  const others = writer.op('Where', [writer.op('Equal', [every, firstExpert!]), never, logits])
  const shares = writer.op('Concat', [share(first!, logits), share(second!, others)], { axis: 1 })
  return [shares, chosen!]
}
