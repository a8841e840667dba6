import { LayerpruneError } from '../../base/errors.js'
import { readSafetensorsHeader } from '../../files/checkpoint/safetensors-header.js'
import { encodeTensors } from '../../files/weights/encode-tensors.js'
import { readTensor } from '../../files/weights/read-tensor.js'
import type { Identity } from '../run/identity.js'
import { assertSameWork, type ResumeOptions } from '../run/saved-work.js'
import { pathBeside } from '../write-model/output-folder.js'
import type { ClosingProduct } from './closing-product.js'
import type { FittedLayer } from './fit-layer.js'

/** A layer whose fit is known. */
interface SavedFit {
  heldOutShare: number
  /** Places of the changed products among those of the layer. */
  changes: { place: number; ridge: number; values: Float32Array }[]
}

/** What a repair has found out so far. */
export interface RepairState {
  identity: Identity
  /** By the number of the layer. */
  fits: Record<string, SavedFit>
}

/** Remembers the fits of layers, so that a stopped repair goes on after them. */
export class KnownFits {
  readonly #state: RepairState
  readonly #onSaved: ResumeOptions<RepairState>['onSaved']

  /** @throws LayerpruneError if what is resumed is of another repair */
  constructor(identity: Identity = {}, { resumeFrom, onSaved }: ResumeOptions<RepairState> = {}) {
    if (resumeFrom !== undefined) assertSameWork(resumeFrom, identity)
    this.#state = resumeFrom ?? { identity, fits: {} }
    this.#onSaved = onSaved
  }

  /** @param products  of the layer */
  async find(layer: number, products: ClosingProduct[], fitLayer: () => Promise<FittedLayer>): Promise<FittedLayer> {
    const known = this.#state.fits[layer]
    if (known !== undefined) {
      const changes = known.changes.map(({ place, ...change }) => ({ ...change, product: products[place]! }))
      return { ...known, changes }
    }
    const fitted = await fitLayer()
    const changes = fitted.changes.map(({ product, ...change }) => ({ ...change, place: products.indexOf(product) }))
    this.#state.fits[layer] = { ...fitted, changes }
    await this.#onSaved?.(this.#state)
    return fitted
  }
}

const KEY = 'layerprune.repair'

/** Where the state of a repair is kept until the model is written. */
export function repairStatePath(output: string): string {
  return pathBeside(output, '.layerprune-repair')
}

/** A state as one safetensors file. */
export function encodeRepairState(state: RepairState): Uint8Array {
  const values = new Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>()
  const numbers = JSON.stringify(state, (_, value) => {
    if (!(value instanceof Float32Array)) return value
    const name = `values ${values.size}`
    values.set(name, { shape: [value.length], data: value as Float32Array<ArrayBuffer> })
    return name
  })
  return encodeTensors(values, { [KEY]: numbers })
}

/** @throws LayerpruneError if a file is not one that `encodeRepairState` made */
export async function readRepairState(path: string): Promise<RepairState> {
  const { tensors, metadata } = await readSafetensorsHeader(path)
  const state: RepairState | null = JSON.parse(metadata[KEY] ?? 'null')
  if (state === null) {
    throw new LayerpruneError(`${path} is not the state of a stopped repair`, {
      hint: 'start again without `resume`',
    })
  }
  for (const { changes } of Object.values(state.fits)) {
    for (const change of changes) {
      change.values = (await readTensor(tensors.get(change.values as unknown as string)!)) as Float32Array
    }
  }
  return state
}
