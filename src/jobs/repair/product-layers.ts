import type { Tensor } from 'onnxruntime-node'
import type { Model } from '../../engine/model.js'
import type { State } from '../../engine/sessions/decoder-pieces.js'
import { type GraphRunner, openRunner } from '../../engine/sessions/graph-runner.js'
import { releaseAll, type SessionOptions } from '../../engine/sessions/session.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { ClosingProduct } from './closing-product.js'
import {
  countGroups,
  FEATURES,
  OWN_STATE,
  PRESENT_INPUT,
  TARGET_INPUT,
  takeAddingGraph,
  takeFeatureMomentsGraph,
  takeFeaturesGraph,
} from './fit-graph.js'
import { addChange, FED, presentTensor, readMoments } from './layer-fit.js'
import { addMoments, type Moments, makeMoments } from './moments.js'

type Ort = typeof import('onnxruntime-node')

export interface LayerOutput {
  /** Features of its product, [batch * tokens, features]. */
  features: Tensor
  /** Its own output. */
  state: State
}

/**
 * Layers of which one product each is fitted or changed. Each layer has a session of its own; fits and changes depend
 * only on the shape, and layers share them. Sessions are loaded when they are first used.
 */
export class ProductLayers {
  readonly #ort: Ort
  readonly #model: Pick<Model, 'decoder' | 'config'>
  readonly #session: SessionOptions
  readonly #opened = new Map<string, Promise<GraphRunner>>()

  constructor(ort: Ort, model: Pick<Model, 'decoder' | 'config'>, session: SessionOptions) {
    this.#ort = ort
    this.#model = model
    this.#session = session
  }

  async load(product: ClosingProduct): Promise<void> {
    await this.#openLayer(product)
  }

  async run(product: ClosingProduct, state: State, texts: EncodedText[]): Promise<LayerOutput> {
    const runner = await this.#openLayer(product)
    const [, tokens] = state.dims as [number, number]
    const present = presentTensor(this.#ort, texts, tokens)
    const feeds = runner.makeFeeds(texts, tokens, { [STATE_INPUT]: state, [PRESENT_INPUT]: present })
    const outputs = await runner.run(feeds)
    return { features: outputs[FEATURES]!, state: outputs[OWN_STATE] as State }
  }

  makeMoments(product: ClosingProduct): Moments {
    return makeMoments(countGroups([product]), product.outputs)
  }

  /** Adds a batch's moments toward a target state to others; throws LayerpruneError if a value is not finite. */
  async addMoments(
    product: ClosingProduct,
    { texts, output, target }: { texts: EncodedText[]; output: LayerOutput; target: State },
    moments: Moments,
  ): Promise<void> {
    const runner = await this.#openShared('moments', product, takeFeatureMomentsGraph)
    const [, tokens] = target.dims as [number, number]
    const outputs = await runner.run({
      [FEATURES]: output.features,
      [OWN_STATE]: output.state,
      [TARGET_INPUT]: target,
      [PRESENT_INPUT]: presentTensor(this.#ort, texts, tokens),
    })
    addMoments(moments, readMoments(outputs, product, moments.features.panels.length))
  }

  /** The output of a layer with its product changed. */
  async addChange(product: ClosingProduct, output: LayerOutput, change: Float32Array): Promise<State> {
    const runner = await this.#openShared('change', product, takeAddingGraph)
    return addChange(this.#ort, runner, product, output, change)
  }

  close(): Promise<void> {
    return releaseAll([...this.#opened.values()])
  }

  #openLayer(product: ClosingProduct): Promise<GraphRunner> {
    return this.#open(`layer ${product.layer}`, () => takeFeaturesGraph(this.#model.decoder, product))
  }

  /** @param part  of which there is one for all layers that add to the stream in the same way */
  #openShared(
    part: string,
    product: ClosingProduct,
    take: (decoder: DecoderGraph, product: ClosingProduct) => DecoderGraph,
  ): Promise<GraphRunner> {
    const { inputs, outputs, bias } = product
    const name = `${part} ${inputs} ${outputs} ${bias === null}`
    return this.#open(name, () => take(this.#model.decoder, product))
  }

  #open(name: string, take: () => DecoderGraph): Promise<GraphRunner> {
    const known = this.#opened.get(name)
    if (known !== undefined) return known
    const opening = openRunner(take(), this.#model.config, FED, { ...this.#session, shared: true })
    this.#opened.set(name, opening)
    return opening
  }
}

export async function openProductLayers(
  model: Pick<Model, 'decoder' | 'config'>,
  { threads, device }: SessionOptions,
): Promise<ProductLayers> {
  return new ProductLayers(await import('onnxruntime-node'), model, { threads, device })
}
