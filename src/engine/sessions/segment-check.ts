import { FiniteThread } from '../../model/graph/checks/finite-thread.js'
import type { FiniteOptions } from '../../model/graph/checks/finite-weights.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { copyMessage } from '../../model/graph/onnx/onnx.js'
import { takeSegment } from '../../model/graph/segment.js'
import type { Segment } from './memory-plan.js'

/** Checks that weights are finite in a decoder's first run: a segment's while the one before it runs. */
export class SegmentCheck {
  readonly #decoder: DecoderGraph
  readonly #thread: FiniteThread
  readonly #checked = new Set<string>()
  #waiting: Segment[] = []
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined
  #isFinished = false

  /** @param tensors  as of `assertFiniteWeights` */
  constructor(decoder: DecoderGraph, tensors: FiniteOptions['tensors']) {
    this.#decoder = decoder
    this.#thread = new FiniteThread(tensors)
  }

  /** Starts with the first two of the segments that are about to run, unless all weights are checked. */
  start(segments: Segment[]): void {
    if (this.#isFinished) return
    this.#waiting = [...segments]
    this.#current = this.#checkNext()
    this.#next = this.#checkNext()
  }

  /** After a segment has run, waits until it is checked; throws as `assertFiniteWeights`. */
  async pass(): Promise<void> {
    await this.#current
    this.#current = this.#next
    this.#next = this.#checkNext()
  }

  /** After all segments have run, checks the weights of none of them; throws as `assertFiniteWeights`. */
  async finish(): Promise<void> {
    if (this.#isFinished) return
    await this.#checkOthers(this.#decoder)
    this.#isFinished = true
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  #checkNext(): Promise<void> | undefined {
    const segment = this.#waiting.shift()
    if (segment === undefined) return undefined
    const { start, end } = segment
    return this.#checkOthers(takeSegment(this.#decoder, { from: start === 0 ? undefined : start, to: end }))
  }

  /** Checks the weights of a graph that are not checked yet. */
  #checkOthers(part: DecoderGraph): Promise<void> {
    const { graph } = part.model
    const initializer = graph.initializer.filter(({ name }) => !this.#checked.has(name))
    for (const { name } of initializer) this.#checked.add(name)
    const model = copyMessage(part.model, { graph: copyMessage(graph, { initializer }) })
    return this.#thread.check({ ...part, model })
  }
}
