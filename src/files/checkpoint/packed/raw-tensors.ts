import { LayerpruneError } from '../../../base/errors.js'
import type { SafetensorsDtype } from '../safetensors-dtype.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { listParts, type WeightExpression } from '../weight-expression.js'

type Tensors = ReadonlyMap<string, TensorLocation>

/** Scales of activations and of cached keys and values: they change no weight. */
const NOT_OF_WEIGHTS =
  /[._](input_scale|activation_scale|input_zero_point|input_global_scale|output_scale|[qkv]_scale|kv_scale|kv_cache_scale)$/

/** The tensors of a packed checkpoint while they are being interpreted. */
export class RawTensors {
  readonly #tensors: Tensors
  readonly #packed = new Map<string, TensorLocation>()
  readonly #parts = new Set<string>()

  constructor(tensors: Tensors) {
    this.#tensors = tensors
  }

  /** The tensors whose names end in `suffix`, each with what comes before it. */
  endingIn(suffix: string): { tensor: TensorLocation; module: string }[] {
    return [...this.#tensors.values()].flatMap((tensor) =>
      tensor.name.endsWith(suffix) ? [{ tensor, module: tensor.name.slice(0, -suffix.length) }] : [],
    )
  }

  ofDtypes(...dtypes: SafetensorsDtype[]): TensorLocation[] {
    return [...this.#tensors.values()].filter(({ dtype }) => dtypes.includes(dtype))
  }

  names(): string[] {
    return [...this.#tensors.keys()]
  }

  find(name: string): TensorLocation | undefined {
    return this.#tensors.get(name)
  }

  /** @throws LayerpruneError if there is none, or it has another type */
  get(name: string, ...dtypes: SafetensorsDtype[]): TensorLocation {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) throw damaged(`the checkpoint has no tensor ${quoteName(name)}`)
    if (dtypes.length === 0 || dtypes.includes(tensor.dtype)) return tensor
    throw damaged(`tensor ${quoteName(name)} is ${tensor.dtype}, expected ${dtypes.join(' or ')}`)
  }

  /** Says what a weight is computed from; `codes` is the tensor that holds most of it. */
  pack(name: string, codes: TensorLocation, expression: WeightExpression): void {
    this.#packed.set(name, { ...codes, name, shape: expression.shape, expression })
    for (const { part } of listParts(expression)) this.#parts.add(part.name)
  }

  /** Leaves out tensors that only help to store weights. */
  drop(...names: string[]): void {
    for (const name of names) this.#parts.add(name)
  }

  /** The interpreted tensors, in the checkpoint's order: packed weights at their codes, and plain tensors. */
  logical(): Map<string, TensorLocation> {
    const logical = new Map<string, TensorLocation>()
    const byCodes = new Map([...this.#packed.values()].map((tensor) => [placeOf(tensor), tensor]))
    for (const tensor of this.#tensors.values()) {
      const packed = byCodes.get(placeOf(tensor))
      if (packed !== undefined) logical.set(packed.name, packed)
      else if (!this.#parts.has(tensor.name) && !NOT_OF_WEIGHTS.test(tensor.name)) logical.set(tensor.name, tensor)
    }
    return logical
  }

  /** Whether there are scales of activations or caches, which a note mentions. */
  get hasScalesOfActivations(): boolean {
    return [...this.#tensors.keys()].some((name) => NOT_OF_WEIGHTS.test(name))
  }
}

function placeOf({ file, offsetBytes }: TensorLocation): string {
  return `${offsetBytes}:${file}`
}

/** The error for weights that are quantised in an unknown way. */
export function refused(found: string): LayerpruneError {
  return new LayerpruneError(`the checkpoint is quantised in a way that cannot be read: ${found}`, {
    hint: 'use the checkpoint in float32, float16 or bfloat16 that it was made from',
  })
}

/** The error for tensors that do not fit each other or the config. */
export function damaged(what: string): LayerpruneError {
  return new LayerpruneError(what, { hint: 'take config.json and all weights from the same model' })
}

/** @throws LayerpruneError if a tensor has not the given shape */
export function assertShape({ name, shape }: TensorLocation, expected: readonly number[]): void {
  if (`${shape}` === `${expected}`) return
  throw damaged(`tensor ${quoteName(name)} has the shape [${shape.join(', ')}], expected [${expected.join(', ')}]`)
}
