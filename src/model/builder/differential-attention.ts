import type { Attention, Differential } from '../families/describe/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeNorm } from './norm.js'

/**
 * Differential attention (Ye et al. 2024, arXiv 2410.05258) as transformers computes it: head i is paired with head
 * i + heads / 2, which is subtracted from it. Half of each output comes from the values of the first half of the key
 * heads, the other half from those of the second.
 * @param values  of all heads, and the axis of the heads, whose length is heads * head size if it is the last
 * @param attend  gives the means of such values, [batch, tokens, heads * head size]
 * @returns [batch, tokens, heads * head size]
 */
export function writeDifferentialAttention(
  writer: DecoderWriter,
  attention: Attention & { differential: Differential },
  { value, axis }: { value: string; axis: 1 | 2 },
  attend: (value: string) => string,
): string {
  const { heads, kvHeads, headDim, differential } = attention
  const halfSize = (kvHeads / 2) * (axis === 2 ? headDim : 1)
  const halves = writer.ops('Split', [value, writer.integers([halfSize, halfSize])], 2, { axis })
  const perHead = halves.map((half) => {
    const mixed = attend(writer.op('Concat', [half, half], { axis }))
    return writer.op('Reshape', [mixed, writer.integers([0, 0, heads, headDim])])
  })
  const outputs = writer.op('Concat', perHead, { axis: 3 })
  const [first, second] = writer.ops('Split', [outputs, writer.integers([heads / 2, heads / 2])], 2, {
    axis: 2,
  })
  const taken = writer.op('Mul', [second!, writeWeight(writer, differential, headDim)])
  const normed = writeNorm(writer, differential.norm, writer.op('Sub', [first!, taken]))
  const scaled = writer.op('Mul', [normed, writer.float(1 - differential.lambdaInit)])
  return writer.op('Reshape', [scaled, writer.integers([0, 0, heads * headDim])])
}

/** lambda, the factor on the subtracted heads: float32 [1]. */
function writeWeight(writer: DecoderWriter, { factors, lambdaInit }: Differential, headDim: number): string {
  const exponential = ([a, b]: [string, string]) => {
    const product = writer.op(
      'Mul',
      [a, b].map((name) => writer.weights.float(name, [headDim])),
    )
    return writer.op('Exp', [writer.op('ReduceSum', [product, writer.integers([0])], { keepdims: 1 })])
  }
  const difference = writer.op('Sub', factors.map(exponential))
  return writer.op('Add', [difference, writer.float(lambdaInit)])
}
