import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-node'
import { type GraphRunner, openRunner } from '../../engine/sessions/graph-runner.js'
import { type PlacedOptions, releaseAll } from '../../engine/sessions/session.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { LOSS_OUTPUT, TARGETS_INPUT, type Teacher, WEIGHTS_INPUT } from '../../model/gradient/loss.js'
import { gradientName, type TrainedWeight } from '../../model/gradient/trained.js'
import {
  GRADIENT_INPUT,
  GRADIENT_OUTPUT,
  takeBackwardGraph,
  takeLossGraph,
  takeScoreGraph,
} from '../../model/gradient/training-graph.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { STATE_INPUT, takeSegment } from '../../model/graph/segment.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import type { Parameters } from './optimizer.js'

type Ort = typeof import('onnxruntime-node')
type Outputs = InferenceSession.ReturnType

/** Name of the graph that measures alone. */
const SCORE = 'score'

export interface GradientOptions extends PlacedOptions {
  trained: TrainedWeight[]
  /**
   * Layers whose values are held at once; all if omitted. If they are fewer, the forward pass keeps the states between
   * runs of so many layers alone, and each run is computed again on the way back (Chen et al. 2016, arXiv 1604.06174).
   */
  layersAtOnce?: number | undefined
  /** Distillation teacher; must share a graph with the decoder. */
  teacher?: Teacher | undefined
}

/** The loss of texts, in nats. */
export interface Loss {
  nats: number
  /** Tokens that were predicted: all but the first of each text. */
  tokens: number
}

/** A decoder that gives its loss and the gradients of trained weights. */
export class GradientSource {
  readonly #ort: Ort
  readonly #decoder: DecoderGraph
  readonly #config: ModelConfig
  readonly #options: GradientOptions
  readonly #opened = new Map<string, Promise<GraphRunner>>()
  /** States between runs of layers, from the first that follows the token ids to the last before the loss. */
  readonly #boundaries: number[]
  /** The first run of layers before the last that has trained weights: no gradient goes below it. */
  readonly #firstTrained: number

  /** @param decoder with the trained weights as inputs */
  static async open(decoder: DecoderGraph, config: ModelConfig, options: GradientOptions): Promise<GradientSource> {
    return new GradientSource(await import('onnxruntime-node'), decoder, config, options)
  }

  private constructor(ort: Ort, decoder: DecoderGraph, config: ModelConfig, options: GradientOptions) {
    this.#ort = ort
    this.#config = config
    this.#options = options
    const layers = decoder.states.length - 1
    const { layersAtOnce = layers } = options
    const count = Math.ceil(layers / layersAtOnce)
    this.#boundaries = Array.from({ length: count - 1 }, (_, index) => Math.round(((index + 1) * layers) / count))
    // the graphs forward and back would each hold their layers in float32
    this.#decoder = count > 1 ? { ...decoder, castsPerRun: true } : decoder
    const trained = new Set(options.trained.map(({ name }) => name))
    const first = this.#boundaries.findIndex((to, index) => {
      const { model } = takeSegment(decoder, { from: this.#boundaries[index - 1], to })
      return model.graph.input.some(({ name }) => trained.has(name))
    })
    this.#firstTrained = first === -1 ? this.#boundaries.length : first
  }

  /**
   * Runs texts forward and back.
   * @param share weight of each predicted token in the loss
   * @param gradients the gradients of the texts are added to these, in place
   */
  async addGradients(
    texts: EncodedText[],
    parameters: Parameters,
    share: number,
    gradients: Parameters,
  ): Promise<Loss> {
    const feeds = { ...this.#feedParameters(parameters), ...this.#feedTargets(texts, share) }
    const states = await this.#runForward(texts, feeds)
    const last = this.#boundaries.at(-1)
    const start = startFrom(states.at(-1))
    const outputs = await this.#run('loss', texts, { ...feeds, ...start }, () =>
      takeLossGraph(this.#decoder, { ...this.#graphOptions, from: last, teacher: this.#options.teacher }),
    )
    this.#add(outputs, gradients)
    let gradient = outputs[GRADIENT_OUTPUT]!
    for (let index = this.#boundaries.length - 1; index >= this.#firstTrained; index--) {
      const from = this.#boundaries[index - 1]
      const own = { ...feeds, [GRADIENT_INPUT]: gradient, ...startFrom(states[index - 1]) }
      const outputs = await this.#run(`back ${index}`, texts, own, () =>
        takeBackwardGraph(this.#decoder, { ...this.#graphOptions, from, to: this.#boundaries[index]! }),
      )
      this.#add(outputs, gradients)
      gradient = outputs[GRADIENT_OUTPUT]!
    }
    const tokens = countPredicted(texts)
    return { nats: readNumber(outputs) / share, tokens }
  }

  /** The next-token loss, forward only, even if a teacher is learnt from. */
  async measure(texts: EncodedText[], parameters: Parameters): Promise<Loss> {
    const feeds = { ...this.#feedParameters(parameters), ...this.#feedTargets(texts, 1) }
    const outputs = await this.#run(SCORE, texts, feeds, () => ({
      ...takeScoreGraph(this.#decoder, this.#config.hiddenSize),
      // a graph that is seldom run is not worth weights of its own in float32
      castsPerRun: true,
    }))
    return { nats: readNumber(outputs), tokens: countPredicted(texts) }
  }

  async close(): Promise<void> {
    await releaseAll([...this.#opened.values()])
    this.#opened.clear()
  }

  get #graphOptions() {
    return { trained: this.#options.trained.map(({ name }) => name), hiddenSize: this.#config.hiddenSize }
  }

  /** The state at each boundary. */
  async #runForward(texts: EncodedText[], feeds: Record<string, Tensor>): Promise<Tensor[]> {
    const states: Tensor[] = []
    for (const [index, to] of this.#boundaries.entries()) {
      const from = this.#boundaries[index - 1]
      const start = startFrom(states.at(-1))
      const outputs = await this.#run(`forward ${index}`, texts, { ...feeds, ...start }, () =>
        takeSegment(this.#decoder, { from, to }),
      )
      states.push(Object.values(outputs)[0]!)
    }
    return states
  }

  async #run(
    name: string,
    texts: EncodedText[],
    feeds: Record<string, Tensor>,
    take: () => DecoderGraph,
  ): Promise<Outputs> {
    const opening = this.#opened.get(name) ?? this.#open(name, take())
    this.#opened.set(name, opening)
    const runner = await opening
    const inputs = new Set(runner.inputNames)
    const own = Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)))
    const tokens = longestOf(texts)
    return runner.run(runner.makeFeeds(texts, tokens, own))
  }

  #open(name: string, graph: DecoderGraph): Promise<GraphRunner> {
    const { trained, threads, device, apart } = this.#options
    const fed = [STATE_INPUT, GRADIENT_INPUT, TARGETS_INPUT, WEIGHTS_INPUT, ...trained.map(({ name }) => name)]
    // A product of so many rows packs its weights as fast as it reads them packed; copies for the products forward and
    // back would take twice the memory of the weights
    return openRunner(graph, this.#config, fed, {
      ...{ threads, device, apart },
      packsWeights: false,
      // each of several sessions would keep what its own run took
      shared: name === SCORE || this.#boundaries.length > 0,
    })
  }

  #feedParameters(parameters: Parameters): Record<string, Tensor> {
    return Object.fromEntries(
      this.#options.trained.map(({ name, shape }) => [
        name,
        new this.#ort.Tensor('float32', parameters.get(name)!, shape),
      ]),
    )
  }

  /** The next tokens and their weights, which are 0 at the last token of a text and at padding. */
  #feedTargets(texts: EncodedText[], share: number): Record<string, Tensor> {
    const tokens = longestOf(texts)
    const targets = new BigInt64Array(texts.length * tokens)
    const weights = new Float32Array(texts.length * tokens)
    for (const [text, { ids }] of texts.entries()) {
      for (let token = 0; token + 1 < ids.length; token++) {
        targets[text * tokens + token] = BigInt(ids[token + 1]!)
        weights[text * tokens + token] = share
      }
    }
    const shape = [targets.length, 1]
    return {
      [TARGETS_INPUT]: new this.#ort.Tensor('int64', targets, shape),
      [WEIGHTS_INPUT]: new this.#ort.Tensor('float32', weights, shape),
    }
  }

  #add(outputs: Outputs, gradients: Parameters): void {
    for (const [name, sum] of gradients) {
      const found = outputs[gradientName(name)] as TypedTensor<'float32'> | undefined
      if (found === undefined) continue
      const { data } = found
      for (let index = 0; index < sum.length; index++) sum[index]! += data[index]!
    }
  }
}

/** Nothing if a graph starts at the token ids. */
function startFrom(state: Tensor | undefined): Record<string, Tensor> {
  return state === undefined ? {} : { [STATE_INPUT]: state }
}

function countPredicted(texts: EncodedText[]): number {
  return texts.reduce((sum, { ids }) => sum + ids.length - 1, 0)
}

function readNumber(outputs: Outputs): number {
  return (outputs[LOSS_OUTPUT] as TypedTensor<'float32'>).data[0]!
}
