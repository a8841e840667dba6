import type { Decoder, Layer, Linear, Mlp, Norm, Rope } from '../../../model/families/describe/description.js'

/** Numbers are float32 in a file. */
const DIGITS = 6

/**
 * What a written file would compute otherwise than the checkpoint, in words; undefined if nothing. How the numbers are
 * arranged is left aside: names of tensors, orders of rows, and offsets that weights of norms hold.
 */
export function findWrittenDifference(expected: Decoder, found: Decoder): string | undefined {
  if (found.layers.length !== expected.layers.length) return `it would have ${found.layers.length} layers`
  for (const [layer, before] of expected.layers.entries()) {
    const part = differingPart(listParts(before), listParts(found.layers[layer]!))
    if (part !== undefined) return `${part} of layer ${layer} would be another`
  }
  const part = differingPart(listModelParts(expected), listModelParts(found))
  return part && `${part} of the model would be another`
}

type Parts = Record<string, unknown>

function differingPart(expected: Parts, found: Parts): string | undefined {
  return Object.keys(expected).find((key) => JSON.stringify(plain(expected[key])) !== JSON.stringify(plain(found[key])))
}

function listModelParts({ layers: _, extras: __, embedding, head, ...rest }: Decoder): Parts {
  const isTied = head?.linear.weight === embedding.weight
  return { ...rest, embedding, head: head && { ...head, isTied } }
}

function listParts({ mixer, mlp, ...rest }: Layer): Parts {
  return { ...rest, ...mixer, mlp: mlp && plainMlp(mlp) }
}

/** An MLP whose gate and up projections are apart or in one is the same; experts are alike. */
function plainMlp(mlp: Mlp): unknown {
  switch (mlp.kind) {
    case 'gated in one': {
      const { gateUp, interleaved: _, kind: __, ...rest } = mlp
      const half = { ...gateUp, outputs: gateUp.outputs / 2 }
      return { kind: 'gated', gate: half, up: half, ...rest }
    }
    case 'experts': {
      const { expert, shared, ...rest } = mlp.experts
      return { ...rest, first: plainMlp(expert(0)), shared: shared && { ...shared, mlp: plainMlp(shared.mlp) } }
    }
    default:
      return mlp
  }
}

/** A value without how its numbers are arranged, with its keys in order. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : String(value)
  if (typeof value === 'string') return value.includes('.') ? 'tensor' : value
  if (typeof value === 'function') return plain(value(0))
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('frequencies' in value) return plain(plainRope(value as Rope))
  if ('weightOffset' in value) return plainNorm(value as Norm)
  if ('inputs' in value && 'outputs' in value) return plainLinear(value as Linear)
  if ('layout' in value && 'packed' in value) return ['packed', plain(value.packed)]
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, plain(item)]))
}

function plainNorm({ weightOffset: _, ...norm }: Norm): unknown {
  return plain(norm)
}

function plainLinear({ inputs, outputs, bias }: Linear): unknown {
  return [inputs, outputs, bias !== null]
}

/** The rope as frequencies of pairs alone, if it has one set of them. */
function plainRope({ dimensions, attentionFactor, frequencies }: Rope): unknown {
  if (frequencies.kind !== 'two sets' || frequencies.factors !== undefined) {
    return [dimensions, attentionFactor, Object.values(frequencies).slice(1)]
  }
  const { short, long, longestShort } = frequencies
  const isOne = short.every((value, pair) => value === long[pair])
  return [dimensions, attentionFactor, isOne ? [short] : [short, long, longestShort]]
}
