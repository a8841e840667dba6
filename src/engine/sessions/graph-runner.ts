import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { LayerpruneError } from '../../base/errors.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { type MakeInput, planInputs } from './inputs.js'
import { createSession, type RunnerOptions } from './session.js'
import type { Session } from './session-process.js'

type Feeds = Record<string, Tensor>

/** A decoder, or a part of one, that is loaded and ready to run. */
export class GraphRunner {
  readonly #session: Session
  readonly #inputs: Map<string, MakeInput>

  constructor(session: Session, inputs: Map<string, MakeInput>) {
    this.#session = session
    this.#inputs = inputs
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames
  }

  /**
   * Adds to the caller's feeds those that are made from the texts, padded to `tokens`.
   * @throws LayerpruneError if a text has a token that the model does not have
   */
  makeFeeds(texts: EncodedText[], tokens: number, fedByCaller: Feeds): Feeds {
    const feeds = { ...fedByCaller }
    for (const [name, make] of this.#inputs) feeds[name] = make(texts, tokens)
    return feeds
  }

  /** @throws LayerpruneError if ONNX Runtime fails in a node, as in a damaged graph, or runs out of memory */
  async run(feeds: Feeds): Promise<InferenceSession.ReturnType> {
    try {
      return await this.#session.run(feeds)
    } catch (cause) {
      if (cause instanceof LayerpruneError) throw cause
      const message = (cause as Error).message.trim()
      const hint = /alloc/i.test(message)
        ? 'run fewer or shorter texts at once: `batchSize`, `maxLength`'
        : 'the graph or its weights may be damaged: download or export the model again'
      throw new LayerpruneError(`ONNX Runtime cannot run the graph: ${message}`, { hint, cause })
    }
  }

  release(): Promise<void> {
    return this.#session.release()
  }
}

/**
 * Loads a graph and plans what to feed it.
 * @param fedByCaller names of the inputs that are not made from texts
 * @throws LayerpruneError as `planInputs` and `createSession` do
 */
export async function openRunner(
  graph: DecoderGraph,
  config: ModelConfig,
  fedByCaller: readonly string[],
  options: RunnerOptions,
): Promise<GraphRunner> {
  const ort = await import('onnxruntime-node')
  const inputs = planInputs(ort, graph.model.graph, config, new Set(fedByCaller))
  return new GraphRunner(await createSession(ort, graph, options), inputs)
}
