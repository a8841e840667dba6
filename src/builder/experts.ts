import type { Experts } from '../families/description.js'
import { DataType } from '../graph/onnx.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLinear } from './linear.js'
import { writeMlp } from './mlp.js'
import { writeNorm } from './norm.js'
import { writeSparseMixer } from './sparse-mixer.js'

/**
 * Writes a mixture of experts: each token goes to the `perToken` experts with the largest router weights.
 *
 * Tokens are sorted by expert, so that each expert multiplies only its own rows (none if it has no token), and
 * returned to their order before the experts' outputs are summed.
 */
export function writeExperts(writer: DecoderWriter, experts: Experts, input: string): string {
  const { count, perToken } = experts
  const width = experts.router.inputs
  const given = writer.op('Reshape', [input, writer.integers([-1, width])])
  const [shares, chosen] = writeRouting(writer, experts, given)
  const tokens = experts.norms ? writeNorm(writer, experts.norms.experts, given) : given

  const slots = writer.op('Reshape', [chosen, writer.integers([1, -1])])
  const everyExpert = Array.from({ length: count }, (_, index) => index)
  const isFor = writer.op('Equal', [slots, writer.integers(everyExpert, [count, 1])])
  const counts = writer.op(
    'ReduceSum',
    [writer.op('Cast', [isFor], { to: DataType.INT64 }), writer.integers([1])],
    { keepdims: 0 },
  )
  const order = writer.op('Gather', [writer.op('NonZero', [isFor]), writer.integers([1], [])])
  const rows = writer.op('Gather', [tokens, writer.op('Div', [order, writer.integers([perToken], [])])])
  const parts = writer.ops('Split', [rows, counts], count, { axis: 0 })
  const outputs = parts.map((part, index) => writeMlp(writer, experts.expert(index), part))
  const sorted = writer.op('Concat', outputs, { axis: 0 })

  const slotCount = writer.op('Squeeze', [writer.op('Shape', [order])])
  const ranks = writer.op('Range', [writer.integers([0], []), slotCount, writer.integers([1], [])])
  const places = writer.op('ScatterElements', [order, order, ranks])
  const restored = writer.op('Gather', [sorted, places])
  const bySlot = writer.op('Reshape', [restored, writer.integers([-1, perToken, width])])
  const weighted = writer.op('Mul', [bySlot, writer.op('Unsqueeze', [shares, writer.integers([2])])])
  const summed = writer.op('ReduceSum', [weighted, writer.integers([1])], { keepdims: 0 })
  const mixed = writer.op('Reshape', [summed, writer.op('Shape', [input])])
  return experts.shared === null
    ? mixed
    : writer.op('Add', [mixed, writeShared(writer, experts.shared, input)])
}

/** Weights float32 and numbers int64 of each token's experts, both [tokens, perToken]. */
function writeRouting(
  writer: DecoderWriter,
  { router, count, perToken, routing, norms }: Experts,
  tokens: string,
): [shares: string, chosen: string] {
  const read = norms
    ? writer.op('Mul', [writeNorm(writer, norms.router, tokens), writer.float(norms.routerScale)])
    : tokens
  const outputs = writeLinear(writer, router, read)
  if (routing.scores === 'sparse mixer') return writeSparseMixer(writer, outputs, count, routing.nearness)
  const { choiceBias, normalized, scale, expertScales } = routing
  const scores =
    routing.scores === 'softmax'
      ? writer.op('Softmax', [outputs], { axis: -1 })
      : writer.op('Sigmoid', [outputs])
  const takeLargest = (from: string) =>
    writer.ops('TopK', [from, writer.integers([perToken])], 2, { axis: -1 })
  let [weights, chosen] = takeLargest(scores)
  if (choiceBias !== null) {
    const biased = writer.op('Add', [scores, writer.weights.float(choiceBias, [count])])
    chosen = takeLargest(biased)[1]
    weights = writer.op('GatherElements', [scores, chosen!], { axis: -1 })
  }
  if (normalized !== null) {
    const sum = writer.op('ReduceSum', [weights!, writer.integers([1])], { keepdims: 1 })
    const { sumEpsilon } = normalized
    const divisor = sumEpsilon === 0 ? sum : writer.op('Add', [sum, writer.float(sumEpsilon)])
    weights = writer.op('Div', [weights!, divisor])
  }
  if (scale !== 1) weights = writer.op('Mul', [weights!, writer.float(scale)])
  if (expertScales !== undefined) {
    const factors = writer.op('Gather', [writer.weights.float(expertScales, [count]), chosen!])
    weights = writer.op('Mul', [weights!, factors])
  }
  return [weights!, chosen!]
}

function writeShared(
  writer: DecoderWriter,
  { mlp, gate }: NonNullable<Experts['shared']>,
  input: string,
): string {
  const output = writeMlp(writer, mlp, input)
  if (gate === null) return output
  return writer.op('Mul', [output, writer.op('Sigmoid', [writeLinear(writer, gate, input)])])
}
