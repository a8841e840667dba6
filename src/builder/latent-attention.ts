import type { LatentAttention } from '../families/description.js'
import { writeCausalAttention } from './causal-attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import type { QueryKeyValue } from './projections.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes multi-head latent attention: [batch, tokens, hidden] to the same shape. */
export function writeLatentAttention(
  writer: DecoderWriter,
  attention: LatentAttention,
  input: string,
  shared: SharedInputs,
): string {
  const { heads, ownDim, sharedDim, valueDim, scale } = attention
  const form = { heads, kvHeads: heads, headDim: ownDim + sharedDim, valueDim, scale, softcap: null }
  const spans = shared.spans({ heads, kvHeads: heads, window: null, alibi: null })
  const inputs = {
    query: writeQuery(writer, attention, input),
    ...writeKeysAndValues(writer, attention, input),
  }
  return writeLinear(writer, attention.output, writeCausalAttention(writer, form, inputs, spans))
}

function writeQuery(writer: DecoderWriter, { query }: LatentAttention, input: string): string {
  if (!('norm' in query)) return writeLinear(writer, query, input)
  return writeLinear(writer, query.up, writeNorm(writer, query.norm, writeLinear(writer, query.down, input)))
}

function writeKeysAndValues(
  writer: DecoderWriter,
  { heads, ownDim, sharedDim, valueDim, compressed, latentNorm, expanded }: LatentAttention,
  input: string,
): Omit<QueryKeyValue, 'query'> {
  const split = (tensor: string, sizes: number[]) =>
    writer.ops('Split', [tensor, writer.integers(sizes)], sizes.length, { axis: -1 })
  const [latent, common] = split(writeLinear(writer, compressed, input), [latentNorm.size, sharedDim])
  const outputs = writeLinear(writer, expanded, writeNorm(writer, latentNorm, latent!))
  const perHead = writer.op('Reshape', [outputs, writer.integers([0, 0, heads, ownDim + valueDim])])
  const [own, value] = split(perHead, [ownDim, valueDim])
  const repeated = writer.op('Expand', [
    writer.op('Unsqueeze', [common!, writer.integers([2])]),
    writer.integers([1, 1, heads, sharedDim]),
  ])
  const join = (tensor: string, size: number) =>
    writer.op('Reshape', [tensor, writer.integers([0, 0, heads * size])])
  return {
    key: join(writer.op('Concat', [own!, repeated], { axis: -1 }), ownDim + sharedDim),
    value: join(value!, valueDim),
  }
}
