import type { ExpertGroups, Experts, SharedExpert } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeCap, writeLinear } from './linear.js'
import { writeMlp } from './mlp.js'
import { writeNorm } from './norm.js'
import { writeSparseMixer } from './sparse-mixer.js'

/**
 * Writes a mixture of experts: each token is processed by the `topK` experts with the largest router weights.
 *
 * Tokens are sorted by expert, so each expert multiplies only its own rows, possibly none. They return to their order
 * before the experts' outputs are summed.
 */
export function writeExperts(writer: DecoderWriter, experts: Experts, input: string): string {
  const { count, topK, latent, norms } = experts
  const hidden = writer.op('Reshape', [input, writer.integers([-1, experts.router.inputs])])
  const [shares, chosen] = writeRouting(writer, experts, hidden)
  const normed = norms ? writeNorm(writer, norms.experts, hidden) : hidden
  const tokens = latent ? writeLinear(writer, latent.into, normed) : normed
  const width = latent ? latent.into.outputs : experts.router.inputs

  const slots = writer.op('Reshape', [chosen, writer.integers([1, -1])])
  const everyExpert = Array.from({ length: count }, (_, index) => index)
  const isFor = writer.op('Equal', [slots, writer.integers(everyExpert, [count, 1])])
  const counts = writer.op('ReduceSum', [writer.op('Cast', [isFor], { to: DataType.INT64 }), writer.integers([1])], {
    keepdims: 0,
  })
  const order = writer.op('Gather', [writer.op('NonZero', [isFor]), writer.integers([1], [])])
  const gathered = writer.op('Gather', [tokens, writer.op('Div', [order, writer.integers([topK], [])])])
  const { routing } = experts
  const weighsInputs = routing.scores !== 'sparse mixer' && (routing.weighsInputs ?? false)
  const rows = weighsInputs ? writer.op('Mul', [gathered, writeColumn(writer, shares, order)]) : gathered
  const parts = writer.ops('Split', [rows, counts], count, { axis: 0 })
  const outputs = parts.map((part, index) => writeMlp(writer, experts.expert(index), part))
  const sorted = writer.op('Concat', outputs, { axis: 0 })

  const slotCount = writer.op('Squeeze', [writer.op('Shape', [order])])
  const ranks = writer.op('Range', [writer.integers([0], []), slotCount, writer.integers([1], [])])
  const places = writer.op('ScatterElements', [order, order, ranks])
  const restored = writer.op('Gather', [sorted, places])
  const bySlot = writer.op('Reshape', [restored, writer.integers([-1, topK, width])])
  const weighted = weighsInputs
    ? bySlot
    : writer.op('Mul', [bySlot, writer.op('Unsqueeze', [shares, writer.integers([2])])])
  const summed = writer.op('ReduceSum', [weighted, writer.integers([1])], { keepdims: 0 })
  const mapped = latent ? writeLinear(writer, latent.back, summed) : summed
  const mixed = writer.op('Reshape', [mapped, writer.op('Shape', [input])])
  return experts.shared === null ? mixed : writer.op('Add', [mixed, writeShared(writer, experts.shared, input)])
}

/** The weight of each sorted row, float32 [rows, 1]. */
function writeColumn(writer: GraphWriter, shares: string, order: string): string {
  return writer.op('Gather', [writer.op('Reshape', [shares, writer.integers([-1, 1])]), order])
}

/** Weights (float32) and indices (int64) of each token's experts, both [tokens, topK]. */
function writeRouting(
  writer: DecoderWriter,
  { router, count, topK, routing, norms }: Experts,
  tokens: string,
): [shares: string, chosen: string] {
  const read = norms
    ? writer.op('Mul', [writeNorm(writer, norms.router, tokens), writer.float(norms.routerScale)])
    : tokens
  const products = writeLinear(writer, router, read)
  if (routing.scores === 'sparse mixer') return writeSparseMixer(writer, products, count, routing.nearness)
  const { correctionBias, groups = null, normalized, scale, cap = null, expertScales } = routing
  const outputs = cap === null ? products : writeCap(writer, products, cap)
  const scores =
    routing.scores === 'softmax' ? writer.op('Softmax', [outputs], { axis: -1 }) : writer.op('Sigmoid', [outputs])
  const takeLargest = (from: string) => writer.ops('TopK', [from, writer.integers([topK])], 2, { axis: -1 })
  // sigmoids of large outputs are all 1 in float32, which would lose their order
  const basis = routing.scores === 'sigmoid' && groups === null ? outputs : scores
  const biased =
    correctionBias === null
      ? basis
      : writer.op('Add', [routing.biasesOutputs ? outputs : scores, readBias(writer, correctionBias, count)])
  const eligible = groups === null ? biased : writeEligible(writer, groups, count, biased)
  let [weights, chosen] = takeLargest(eligible)
  if (eligible !== scores) weights = writer.op('GatherElements', [scores, chosen!], { axis: -1 })
  if (normalized !== null) {
    const sum = writer.op('ReduceSum', [weights!, writer.integers([1])], { keepdims: 1 })
    const { sumEpsilon, leastSum = 0 } = normalized
    let divisor = sumEpsilon === 0 ? sum : writer.op('Add', [sum, writer.float(sumEpsilon)])
    if (leastSum !== 0) divisor = writer.op('Max', [divisor, writer.float(leastSum)])
    weights = writer.op('Div', [weights!, divisor])
  }
  if (scale !== 1) weights = writer.op('Mul', [weights!, writer.float(scale)])
  if (expertScales !== undefined) {
    const factors = writer.op('Gather', [writer.weights.float(expertScales, [count]), chosen!])
    weights = writer.op('Mul', [weights!, factors])
  }
  return [weights!, chosen!]
}

/** float32 [count], or [1, count] as ERNIE stores it. */
function readBias(writer: DecoderWriter, name: string, count: number): string {
  const row = [1, count]
  return writer.weights.float(name, writer.weights.hasShape(name, row) ? row : [count])
}

/** Scores [tokens, count], minus infinity for experts that are not in one of the best groups. */
function writeEligible(writer: GraphWriter, groups: ExpertGroups, count: number, scores: string): string {
  const grouped = writer.op('Reshape', [scores, writer.integers([-1, groups.count, count / groups.count])])
  const takeLargest = (from: string, most: number) =>
    writer.ops('TopK', [from, writer.integers([most])], 2, { axis: -1 })
  const [largest] = takeLargest(grouped, groups.scoredBy)
  const groupScores = writer.op('ReduceSum', [largest!, writer.integers([2])], { keepdims: 0 })
  const [, best] = takeLargest(groupScores, groups.kept)
  const everyGroup = Array.from({ length: groups.count }, (_, index) => index)
  const isBest = writer.op('Equal', [
    writer.op('Unsqueeze', [best!, writer.integers([2])]),
    writer.integers(everyGroup, [1, 1, groups.count]),
  ])
  const kept = writer.op('ReduceSum', [writer.op('Cast', [isBest], { to: DataType.INT64 }), writer.integers([1])], {
    keepdims: 0,
  })
  const isKept = writer.op('Cast', [writer.op('Unsqueeze', [kept, writer.integers([2])])], {
    to: DataType.BOOL,
  })
  const masked = writer.op('Where', [isKept, grouped, writer.float(Number.NEGATIVE_INFINITY)])
  return writer.op('Reshape', [masked, writer.integers([-1, count])])
}

function writeShared(writer: DecoderWriter, { mlp, gate, scale = 1 }: SharedExpert, input: string): string {
  const mapped = writeMlp(writer, mlp, input)
  const output = scale === 1 ? mapped : writer.op('Mul', [mapped, writer.float(scale)])
  if (gate === null) return output
  return writer.op('Mul', [output, writer.op('Sigmoid', [writeLinear(writer, gate, input)])])
}
