import { GraphWriter } from '../graph/onnx/graph-writer.js'
import { type StoredTensors, Weights } from './weights.js'

/** Writes the graph of a decoder with the tensors of a checkpoint. */
export class DecoderWriter extends GraphWriter {
  readonly weights: Weights

  constructor(stored: StoredTensors) {
    super()
    this.weights = new Weights(stored, this)
  }
}
