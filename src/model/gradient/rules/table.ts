import type { InputGradients, Passage, Rule } from '../rule.js'
import * as elementwise from './elementwise.js'
import * as layout from './layout.js'
import * as norms from './norms.js'
import { productRule } from './products.js'
import * as reductions from './reductions.js'

/** Operators with a single output that can have a gradient. */
const RULES: Record<string, Rule> = {
  Add: elementwise.addRule,
  Cast: layout.castRule,
  Clip: elementwise.clipRule,
  Concat: layout.concatRule,
  Div: elementwise.divRule,
  Elu: elementwise.eluRule,
  Exp: elementwise.expRule,
  Expand: reductions.expandRule,
  FusedMatMul: productRule,
  Gelu: elementwise.geluRule,
  Identity: layout.identityRule,
  LayerNormalization: norms.normRule,
  MatMul: productRule,
  Max: elementwise.extremeRule,
  Min: elementwise.extremeRule,
  Mul: elementwise.mulRule,
  Neg: elementwise.negRule,
  QuickGelu: elementwise.quickGeluRule,
  ReduceLogSumExp: reductions.logSumExpRule,
  ReduceSum: reductions.reduceSumRule,
  Relu: elementwise.reluRule,
  Reshape: layout.reshapeRule,
  RotaryEmbedding: layout.rotationRule,
  Sigmoid: elementwise.sigmoidRule,
  SimplifiedLayerNormalization: norms.normRule,
  Slice: layout.sliceRule,
  Softmax: reductions.softmaxRule,
  Softplus: elementwise.softplusRule,
  Sub: elementwise.subRule,
  Tanh: elementwise.tanhRule,
  Transpose: layout.transposeRule,
  Unsqueeze: layout.reshapeRule,
  Where: elementwise.whereRule,
}

/** Operators with several outputs that can have gradients. */
const RULES_OF_ALL_OUTPUTS: Record<string, (passage: Passage) => InputGradients> = {
  SkipLayerNormalization: norms.fusedNormRule,
  SkipSimplifiedLayerNormalization: norms.fusedNormRule,
  Split: layout.splitRule,
}

/** The rule of an operator; undefined if a gradient cannot pass it. */
export function findRule(opType: string): ((passage: Passage) => InputGradients) | undefined {
  if (Object.hasOwn(RULES_OF_ALL_OUTPUTS, opType)) return RULES_OF_ALL_OUTPUTS[opType]
  if (!Object.hasOwn(RULES, opType)) return undefined
  const rule = RULES[opType]!
  return (passage) => rule(passage.outputs[0]!, passage)
}
