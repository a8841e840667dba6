import type { GgufTensor } from './header.js'

/**
 * What the checkpoint of a family calls a tensor: its module, to which `.weight` or `.bias` is added; the whole name;
 * the module of each expert or head of which the tensor is a stack; or a module whose tensor has so many axes, of which
 * a file may omit one of size 1; `isWritten`: llama.cpp's converter writes that one too.
 */
export type Target =
  | string
  | { name: string }
  | { each: (index: number) => string }
  | { module: string; axes: number; axis: number; isWritten?: true }

/**
 * By what a file calls a tensor, without the number of its layer, and without the ending unless endings differ. If two
 * have the same name in the checkpoint, the last is the one that is written.
 */
export interface TensorNames {
  /** What the names of the decoder's own tensors start with. */
  prefix: string
  /** What the names of layers start with, after the prefix. */
  layers: string
  /** Tensors outside the layers; their names start with the prefix. */
  model: Record<string, Target>
  /** Tensors of a layer; their names start with the layer's. */
  layer: Record<string, Target>
  /** Module of the head, without the prefix. */
  head: string
}

/** A tensor as a checkpoint of the family has it: a whole tensor of the file, or one of its stack. */
export interface NamedTensor {
  name: string
  shape: number[]
  tensor: GgufTensor
  offsetBytes: number
  sizeBytes: number
}

export const LLAMA_TENSORS: TensorNames = {
  prefix: 'model.',
  layers: 'layers',
  head: 'lm_head',
  model: { token_embd: 'embed_tokens', output_norm: 'norm' },
  layer: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    attn_q_norm: 'self_attn.q_norm',
    attn_k_norm: 'self_attn.k_norm',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
    ffn_gate_inp: 'mlp.gate',
    ffn_gate_exps: { each: (index) => `mlp.experts.${index}.gate_proj` },
    ffn_up_exps: { each: (index) => `mlp.experts.${index}.up_proj` },
    ffn_down_exps: { each: (index) => `mlp.experts.${index}.down_proj` },
    ffn_gate_shexp: 'mlp.shared_expert.gate_proj',
    ffn_up_shexp: 'mlp.shared_expert.up_proj',
    ffn_down_shexp: 'mlp.shared_expert.down_proj',
    ffn_gate_inp_shexp: { module: 'mlp.shared_expert_gate', axes: 2, axis: 0, isWritten: true },
  },
}

/** Tensors that say how to compute, and are read with the metadata. */
const SETTINGS = /^(rope_freqs|rope_factors_(long|short))\.weight$/

/** The tensors under a checkpoint's names, without `extraLayers` at the end; unknown ones keep their own names. */
export function nameTensors(
  tensors: Iterable<GgufTensor>,
  names: TensorNames,
  { layers, extraLayers }: { layers: number; extraLayers: number },
): NamedTensor[] {
  return [...tensors].flatMap((tensor) => {
    if (SETTINGS.test(tensor.name)) return []
    const inLayer = /^blk\.(\d+)\.(.+)$/.exec(tensor.name)
    const behind = inLayer === null ? -1 : Number(inLayer[1]) - layers
    if (behind >= extraLayers) return [whole(tensor, tensor.name)]
    if (behind >= 0) return []
    const [, base = tensor.name, ending = ''] = /^(.+)(\.weight|\.bias)$/.exec(inLayer?.[2] ?? tensor.name) ?? []
    if (inLayer === null && base === 'output') return [whole(tensor, `${names.head}${ending}`)]
    const targets = new Map(Object.entries(inLayer ? names.layer : names.model))
    const target = targets.get(`${base}${ending}`) ?? targets.get(base)
    if (target === undefined) return [whole(tensor, tensor.name)]
    const start = inLayer ? `${names.prefix}${names.layers}.${inLayer[1]}.` : names.prefix
    return nameTensor(tensor, target, { start, ending })
  })
}

function nameTensor(
  tensor: GgufTensor,
  target: Target,
  { start, ending }: { start: string; ending: string },
): NamedTensor[] {
  if (typeof target === 'string') return [whole(tensor, `${start}${target}${ending}`)]
  if ('name' in target) return [whole(tensor, `${start}${target.name}`)]
  if ('module' in target) {
    const { axes, axis } = target
    const shape = tensor.shape.length < axes ? tensor.shape.toSpliced(axis, 0, 1) : tensor.shape
    return [{ ...whole(tensor, `${start}${target.module}${ending}`), shape }]
  }
  const [count = 0, ...shape] = tensor.shape
  const sizeBytes = tensor.sizeBytes / Math.max(count, 1)
  return Array.from({ length: count }, (_, index) => ({
    name: `${start}${target.each(index)}${ending}`,
    shape,
    tensor,
    offsetBytes: tensor.offsetBytes + index * sizeBytes,
    sizeBytes,
  }))
}

function whole(tensor: GgufTensor, name: string): NamedTensor {
  const { shape, offsetBytes, sizeBytes } = tensor
  return { name, shape, tensor, offsetBytes, sizeBytes }
}
