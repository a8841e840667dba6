import type { Tensor, TypedTensor } from 'onnxruntime-node'
import { LayerpruneError } from '../../base/errors.js'
import type { State } from '../../engine/sessions/decoder-pieces.js'
import { type GraphRunner, openRunner } from '../../engine/sessions/graph-runner.js'
import { NON_FINITE_HINT } from '../../engine/sessions/non-finite.js'
import { releaseAll, type SessionOptions } from '../../engine/sessions/session.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { ClosingProduct } from './closing-product.js'
import {
  CHANGE_INPUT,
  CHANGED_STATE,
  countGroups,
  FEATURES,
  type FitGraphOptions,
  featurePanel,
  givenInput,
  OWN_STATE,
  PRESENT_INPUT,
  PRODUCT_INPUT,
  RESIDUAL_PRODUCTS,
  RESIDUAL_SQUARES,
  TARGET_INPUT,
  takeChangedGraph,
  takeMomentsGraph,
} from './fit-graph.js'
import { type AddedMoments, addMoments, type Moments } from './moments.js'

type Ort = typeof import('onnxruntime-node')

/** Inputs of all graphs that are not made from texts. */
export const FED = [STATE_INPUT, TARGET_INPUT, PRESENT_INPUT, CHANGE_INPUT, FEATURES, OWN_STATE]

/** A batch of texts that enters a layer. */
export interface FitBatch {
  texts: EncodedText[]
  /** State that enters the layer. */
  state: State
  /** State that the layer should return. */
  target: State
  /** Inputs of the products that were changed already. */
  given?: Tensor[]
}

/** A layer whose products are fitted; its sessions are loaded when they are first used. */
export interface LayerFit {
  /** As moments have them. */
  groups: number[]
  /**
   * Adds the moments of a batch to others; throws LayerpruneError if a value on the way is not finite.
   * @returns the input of the first of several products
   */
  addMoments(batch: FitBatch, moments: Moments): Promise<Tensor | undefined>
  /** The output of the layer with its products changed. */
  change(batch: Pick<FitBatch, 'texts' | 'state'>, change: Float32Array): Promise<State>
  close(): Promise<void>
}

/** Opens a layer to fit its products, all that `findProducts` gives or the last of these. */
export async function openLayerFit(
  decoder: DecoderGraph,
  config: ModelConfig,
  { products, given = [] }: FitGraphOptions,
  session: SessionOptions,
): Promise<LayerFit> {
  const ort = await import('onnxruntime-node')
  const opened: Promise<GraphRunner>[] = []
  const fedByCaller = [...FED, ...given.map((_, place) => givenInput(place))]
  const lazily = (take: () => DecoderGraph) => {
    let opening: Promise<GraphRunner> | undefined
    return () => {
      opening ??= open(take())
      return opening
    }
  }
  function open(graph: DecoderGraph) {
    const opening = openRunner(graph, config, fedByCaller, { ...session, shared: true })
    opened.push(opening)
    return opening
  }
  const openMoments = lazily(() => takeMomentsGraph(decoder, { products, given }))
  const openChanged = lazily(() => takeChangedGraph(decoder, products))
  const closing = products.at(-1)!
  return {
    groups: countGroups(products),
    async addMoments({ texts, state, target, given: inputs = [] }, moments) {
      const runner = await openMoments()
      const [, tokens] = state.dims as [number, number]
      const own = Object.fromEntries(inputs.map((tensor, place) => [givenInput(place), tensor]))
      const present = presentTensor(ort, texts, tokens)
      const fed = { ...own, [STATE_INPUT]: state, [TARGET_INPUT]: target, [PRESENT_INPUT]: present }
      const outputs = await runner.run(runner.makeFeeds(texts, tokens, fed))
      addMoments(moments, readMoments(outputs, closing, moments.features.panels.length))
      return outputs[PRODUCT_INPUT]
    },
    async change({ texts, state }, change) {
      const runner = await openChanged()
      const [, tokens] = state.dims as [number, number]
      const present = presentTensor(ort, texts, tokens)
      const feeds = {
        [STATE_INPUT]: state,
        [PRESENT_INPUT]: present,
        [CHANGE_INPUT]: changeTensor(ort, closing, change),
      }
      return (await runner.run(runner.makeFeeds(texts, tokens, feeds)))[CHANGED_STATE] as State
    },
    close: () => releaseAll(opened),
  }
}

/** The moments that a graph returned; throws LayerpruneError if a value on the way was not finite. */
export function readMoments(outputs: Record<string, Tensor>, product: ClosingProduct, panels: number): AddedMoments {
  return {
    panels: Array.from({ length: panels }, (_, index) => numbersOf(outputs[featurePanel(index)]!)),
    residual: numbersOf(outputs[RESIDUAL_PRODUCTS]!),
    squares: assertFinite(outputs[RESIDUAL_SQUARES]!, product),
  }
}

/** Runs the graph of `takeAddingGraph`. */
export async function addChange(
  ort: Ort,
  runner: GraphRunner,
  product: ClosingProduct,
  { features, state }: { features: Tensor; state: State },
  change: Float32Array,
): Promise<State> {
  const feeds = {
    [FEATURES]: features,
    [OWN_STATE]: state,
    [CHANGE_INPUT]: changeTensor(ort, product, change),
  }
  return (await runner.run(feeds))[CHANGED_STATE] as State
}

function changeTensor(ort: Ort, { outputs }: ClosingProduct, change: Float32Array): Tensor {
  return new ort.Tensor('float32', change, [change.length / outputs, outputs])
}

function numbersOf(tensor: Tensor): Float32Array {
  return tensor.data as Float32Array
}

/** 1 for each token of a text and 0 for padding: [texts * tokens, 1]. */
export function presentTensor(ort: Ort, texts: EncodedText[], tokens: number) {
  const present = new Float32Array(texts.length * tokens)
  for (const [text, { ids }] of texts.entries()) present.fill(1, text * tokens, text * tokens + ids.length)
  return new ort.Tensor('float32', present, [present.length, 1])
}

function assertFinite(squares: Tensor, { layer }: ClosingProduct): number {
  const [value] = (squares as TypedTensor<'float32'>).data
  if (value !== undefined && Number.isFinite(value)) return value
  throw new LayerpruneError(`a value in layer ${layer} is not a finite number, so the cut cannot be repaired`, {
    hint: NON_FINITE_HINT,
  })
}
