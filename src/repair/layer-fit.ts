import type { Tensor, TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import type { State } from '../engine/decoder-pieces.js'
import { type GraphRunner, openRunner } from '../engine/graph-runner.js'
import { releaseAll, type SessionOptions } from '../engine/session.js'
import { LayerpruneError } from '../errors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { STATE_INPUT } from '../graph/segment.js'
import type { EncodedText } from '../texts/windows.js'
import type { ClosingProduct } from './closing-product.js'
import {
  CHANGE_INPUT,
  CHANGED_STATE,
  FEATURE_PRODUCTS,
  PRESENT_INPUT,
  RESIDUAL_PRODUCTS,
  RESIDUAL_SQUARES,
  TARGET_INPUT,
  takeChangedGraph,
  takeMomentsGraph,
} from './fit-graph.js'
import { SymmetricMatrix } from './tiled-matrix.js'

/** A batch of texts on its way through a model that is repaired. */
export interface FitBatch {
  texts: EncodedText[]
  /** State that enters the layer. */
  state: State
  /** State that the layer should return. */
  target: State
}

/** Second moments of a regression, see `takeMomentsGraph`; sums over batches in float64. */
export interface Moments {
  /** How many features each product has, that of the last with the one of its bias. */
  groups: number[]
  features: SymmetricMatrix
  /** [features, hidden] */
  residual: Float64Array
}

/** A layer whose products are fitted. */
export interface LayerFit {
  /** As moments have them. */
  groups: number[]
  /** Adds the moments of a batch to those of others. */
  addMoments(batch: FitBatch, moments: Moments): Promise<void>
  /** The output of the layer with its products changed, and the weighted residual sum of squares. */
  change(batch: FitBatch, change: Float32Array): Promise<{ state: State; residualSquares: number }>
  close(): Promise<void>
}

export function makeMoments(groups: number[], hidden: number): Moments {
  const count = countFeatures(groups)
  return { groups, features: new SymmetricMatrix(count), residual: new Float64Array(count * hidden) }
}

export function countFeatures(groups: number[]): number {
  return groups.reduce((sum, count) => sum + count, 0)
}

/**
 * Opens a layer to be fitted; its sessions are loaded when they are first used.
 * @param fitted  products of one layer, as `findProducts` gives them or the last of these
 * @throws LayerpruneError if a value on the way is not a finite number
 */
export async function openLayerFit(
  decoder: DecoderGraph,
  config: ModelConfig,
  fitted: ClosingProduct[],
  options: SessionOptions,
): Promise<LayerFit> {
  const ort = await import('onnxruntime-node')
  const opened: Promise<GraphRunner>[] = []
  const lazily = (take: () => DecoderGraph) => {
    let opening: Promise<GraphRunner> | undefined
    return async ({ texts, state, target }: FitBatch, own: Record<string, Tensor>) => {
      opening ??= open(take())
      const runner = await opening
      const [, tokens] = state.dims as [number, number]
      const fedByCaller = {
        ...own,
        [STATE_INPUT]: state,
        [TARGET_INPUT]: target,
        [PRESENT_INPUT]: presentTensor(ort, texts, tokens),
      }
      return runner.run(runner.makeFeeds(texts, tokens, fedByCaller))
    }
  }
  function open(graph: DecoderGraph) {
    const fedByCaller = [STATE_INPUT, TARGET_INPUT, PRESENT_INPUT, CHANGE_INPUT]
    const opening = openRunner(graph, config, fedByCaller, { ...options, shared: true })
    opened.push(opening)
    return opening
  }
  const runMoments = lazily(() => takeMomentsGraph(decoder, fitted))
  const runChanged = lazily(() => takeChangedGraph(decoder, fitted))
  const groups = fitted.map(({ inputs, bias }) => inputs + (bias === null ? 0 : 1))
  const closing = fitted.at(-1)!
  return {
    groups,
    async addMoments(batch, moments) {
      const outputs = await runMoments(batch, {})
      assertFinite(outputs[RESIDUAL_SQUARES]!, closing)
      moments.features.add(outputs[FEATURE_PRODUCTS]!.data as Float32Array)
      const residual = outputs[RESIDUAL_PRODUCTS]!.data as Float32Array
      for (let index = 0; index < residual.length; index++) moments.residual[index]! += residual[index]!
    },
    async change(batch, change) {
      const shape = [countFeatures(groups), closing.outputs]
      const outputs = await runChanged(batch, { [CHANGE_INPUT]: new ort.Tensor('float32', change, shape) })
      return {
        state: outputs[CHANGED_STATE] as State,
        residualSquares: assertFinite(outputs[RESIDUAL_SQUARES]!, closing),
      }
    },
    close: () => releaseAll(opened),
  }
}

/** 1 for each token of a text and 0 for padding: [texts * tokens, 1]. */
function presentTensor(ort: typeof import('onnxruntime-node'), texts: EncodedText[], tokens: number) {
  const present = new Float32Array(texts.length * tokens)
  for (const [text, { ids }] of texts.entries()) present.fill(1, text * tokens, text * tokens + ids.length)
  return new ort.Tensor('float32', present, [present.length, 1])
}

function assertFinite(squares: Tensor, { layer }: ClosingProduct): number {
  const [value] = (squares as TypedTensor<'float32'>).data
  if (value !== undefined && Number.isFinite(value)) return value
  throw new LayerpruneError(
    `a value in layer ${layer} is not a finite number, so the cut cannot be repaired`,
    {
      hint: 'half precision can overflow: try --dtype fp32; otherwise the weights may be damaged',
    },
  )
}
