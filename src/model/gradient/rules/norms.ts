import { SUM_OUTPUT } from '../../graph/fused-norms.js'
import { floatAttribute } from '../../graph/onnx/constants.js'
import type { InputGradients, Passage } from '../rule.js'

/** ONNX's default for plain norms, and ONNX Runtime's for fused ones. */
const EPSILON = 1e-5
const FUSED_EPSILON = 1e-12

interface NormTensors {
  input: string
  scale: string
  epsilon: number
  isRms: boolean
  needs: { input: boolean; scale: boolean; bias: boolean }
}

interface NormGradients {
  input?: string
  scale?: string
  bias?: string
}

/** SimplifiedLayerNormalization and LayerNormalization over the last axis. */
export function normRule(gradient: string, passage: Passage): InputGradients {
  const { node, needs } = passage
  const found = passNorm(gradient, passage, {
    input: node.input[0]!,
    scale: node.input[1]!,
    epsilon: floatAttribute(node, 'epsilon', EPSILON),
    isRms: node.opType === 'SimplifiedLayerNormalization',
    needs: { input: needs(0), scale: needs(1), bias: needs(2) },
  })
  return [found.input, found.scale, found.bias]
}

/** Norms that first add two tensors; the sum may be an output too. */
export function fusedNormRule(passage: Passage): InputGradients {
  const { writer, node, outputs, needs } = passage
  const [gradient, ofSum] = [outputs[0], outputs[SUM_OUTPUT]]
  const needsSum = needs(0) || needs(1)
  const found =
    gradient === undefined
      ? {}
      : passNorm(gradient, passage, {
          input: node.output[SUM_OUTPUT] || writer.op('Add', node.input.slice(0, 2)),
          scale: node.input[2]!,
          epsilon: floatAttribute(node, 'epsilon', FUSED_EPSILON),
          isRms: node.opType === 'SkipSimplifiedLayerNormalization',
          needs: { input: needsSum, scale: needs(2), bias: needs(3) },
        })
  const both = [ofSum, found.input].filter((part) => part !== undefined)
  const sum = needsSum ? (both.length === 2 ? writer.op('Add', both) : both[0]) : undefined
  return [sum, sum, found.scale, found.bias]
}

/**
 * y = scale * r c + bias, with c = x - mean(x) for a layer norm and c = x for an RMS norm, and r = 1 / sqrt(mean(c^2) +
 * epsilon). With h = scale * dy: dx = r (h - mean(h)) - r^3 mean(h c) c, without mean(h) for an RMS norm.
 */
function passNorm(gradient: string, passage: Passage, norm: NormTensors): NormGradients {
  const { writer } = passage
  const { input, scale, isRms, needs } = norm
  const mean = (tensor: string) => writer.op('ReduceMean', [tensor, writer.integers([-1])], { keepdims: 1 })
  const times = (...tensors: string[]) => tensors.reduce((product, factor) => writer.op('Mul', [product, factor]))
  const centred = isRms ? input : writer.op('Sub', [input, mean(input)])
  const squares = writer.op('Add', [mean(times(centred, centred)), writer.float(norm.epsilon)])
  const inverse = writer.op('Reciprocal', [writer.op('Sqrt', [squares])])
  const found: NormGradients = {}
  if (needs.scale) found.scale = sumRows(passage, times(gradient, times(centred, inverse)), scale)
  if (needs.bias) found.bias = sumRows(passage, gradient, scale)
  if (needs.input) {
    const weighted = times(gradient, scale)
    const along = times(mean(times(weighted, centred)), inverse, inverse, inverse)
    const moved = isRms ? weighted : writer.op('Sub', [weighted, mean(weighted)])
    found.input = writer.op('Sub', [times(moved, inverse), times(centred, along)])
  }
  return found
}

/** Sums over all axes but the last, for a weight of one axis. */
function sumRows({ writer, shapes }: Passage, gradient: string, weight: string): string {
  const size = shapes.of(weight)?.[0]
  if (typeof size !== 'number') throw new Error(`the length of ${weight} is not known`)
  const rows = writer.op('Reshape', [gradient, writer.integers([-1, size])])
  return writer.op('ReduceSum', [rows, writer.integers([0])], { keepdims: 0 })
}
