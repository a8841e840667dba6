import type { TensorLocation } from '../../../files/checkpoint/safetensors.js'
import type { Experts, Layer, Linear, Mlp } from '../../../model/families/describe/description.js'
import { type Piece, type PlacedTensor, wholePiece } from './placed-tensor.js'

type Tensors = ReadonlyMap<string, TensorLocation>
type Part = 'gate' | 'up' | 'down'

/** Where the numbers of a part of one expert are: a product, or half of the rows of one. */
interface PartOfExpert {
  linear: Linear
  half?: { index: 0 | 1; interleaved: boolean }
}

/**
 * The experts of all layers as a file has them: one tensor for each part, a stack of one matrix for each expert.
 * @returns the tensors, and the names of those of the checkpoint that are in them
 */
export function placeExperts(layers: Layer[], tensors: Tensors): { placed: PlacedTensor[]; used: Set<string> } {
  const used = new Set<string>()
  const placed = layers.flatMap(({ mlp }, layer) => {
    const experts = findExperts(mlp)
    if (experts === undefined) return []
    return (['gate', 'up', 'down'] as const).flatMap((part) => {
      const parts = Array.from({ length: experts.count }, (_, index) => partOf(experts.expert(index), part))
      if (parts.some((found) => found === undefined)) return []
      return (['weight', 'bias'] as const).flatMap((kind): PlacedTensor[] => {
        const pieces = parts.map((found) => locate(found!, kind, tensors))
        if (pieces.some((piece) => piece === undefined)) return []
        for (const piece of pieces) used.add(piece!.source.name)
        const { linear, half } = parts[0]!
        const outputs = half === undefined ? linear.outputs : linear.outputs / 2
        const shape = [experts.count, outputs, ...(kind === 'weight' ? [linear.inputs] : [])]
        return [{ name: `blk.${layer}.ffn_${part}_exps.${kind}`, shape, pieces: pieces as Piece[], offset: 0 }]
      })
    })
  })
  return { placed, used }
}

function findExperts(mlp: Mlp | null): Experts | undefined {
  return mlp?.kind === 'experts' ? mlp.experts : undefined
}

function partOf(mlp: Mlp, part: Part): PartOfExpert | undefined {
  if (mlp.kind === 'gated') return { linear: mlp[part] }
  if (mlp.kind !== 'gated in one') return undefined
  if (part === 'down') return { linear: mlp.down }
  return { linear: mlp.gateUp, half: { index: part === 'gate' ? 0 : 1, interleaved: mlp.interleaved ?? false } }
}

function locate({ linear, half }: PartOfExpert, kind: 'weight' | 'bias', tensors: Tensors): Piece | undefined {
  const { outputs, inputs, fused, transposed } = linear
  const source = tensors.get(linear[kind] ?? '')
  if (source === undefined) return undefined
  const piece = fused === undefined ? wholePiece(source) : undefined
  if (kind === 'bias') {
    // a row of the fused tensor is the bias of one expert; its numbers become rows
    const row = fused?.index ?? 0
    return { ...(piece ?? { source, start: row, end: row + 1 }), turned: true, ...order(outputs, half) }
  }
  const [rows, turned] = isTurned(transposed, source, linear) ? [inputs, { turned: true as const }] : [outputs, {}]
  const start = (fused?.index ?? 0) * rows
  return { ...(piece ?? { source, start, end: start + rows }), ...turned, ...order(outputs, half) }
}

function isTurned(transposed: Linear['transposed'], { shape }: TensorLocation, { outputs, inputs }: Linear): boolean {
  if (transposed !== 'by shape') return transposed ?? false
  return shape.at(-1) !== inputs || shape.at(-2) !== outputs
}

function order(outputs: number, half: PartOfExpert['half']): { order?: number[] } {
  if (half === undefined) return {}
  const { index, interleaved } = half
  const count = outputs / 2
  return { order: Array.from({ length: count }, (_, row) => (interleaved ? 2 * row + index : index * count + row)) }
}
