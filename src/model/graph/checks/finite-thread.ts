import type { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../../../base/errors.js'
import { startThread } from '../../../base/start-thread.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { serializeModel } from '../onnx/onnx.js'
import type { FiniteOptions } from './finite-weights.js'

export interface FiniteTask {
  number: number
  /** A graph, serialised. */
  model: Uint8Array
  weightsFolder: string
  tensors: FiniteOptions['tensors']
}

export type FiniteAnswer = { number: number } & ({ failure?: never } | { failure: string; hint?: string })

interface Waiting {
  resolve: () => void
  reject: (reason: unknown) => void
}

/**
 * Checks weights in another thread. Reading them in the order of the graph also brings them into the page cache before a
 * run maps them.
 */
export class FiniteThread {
  readonly #worker: Worker = startThread('model/graph/checks/finite-worker.js', {})
  readonly #tensors: FiniteOptions['tensors']
  readonly #waiting = new Map<number, Waiting>()
  #count = 0

  /** @param tensors  see `assertFiniteWeights` */
  constructor(tensors: FiniteOptions['tensors']) {
    this.#tensors = tensors
    this.#worker.on('message', (answer: FiniteAnswer) => {
      const { resolve, reject } = this.#waiting.get(answer.number)!
      this.#waiting.delete(answer.number)
      if (answer.failure === undefined) resolve()
      else reject(new LayerpruneError(answer.failure, answer.hint === undefined ? {} : { hint: answer.hint }))
    })
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#waiting.values()) reject(error)
    })
  }

  /**
   * Like `assertFiniteWeights`, one graph after another.
   * @param decoder  without packed weights
   */
  check({ model, weightsFolder }: DecoderGraph): Promise<void> {
    const number = this.#count++
    const task = { number, model: serializeModel(model), weightsFolder, tensors: this.#tensors }
    const checked = new Promise<void>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
    })
    // the rejection is not unhandled: a later caller awaits it
    checked.catch(() => {})
    this.#worker.postMessage(task satisfies FiniteTask)
    return checked
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
