/** A matrix in 8 bits. */
export interface Int8Matrix {
  /** [inputs, outputs] */
  values: Int8Array<ArrayBuffer>
  /** What rounding left over, in steps of a 254th of a value's, [inputs, outputs]; null where it is given up. */
  rests: Int8Array<ArrayBuffer> | null
  /** [outputs]: what a value of 1 stands for. */
  scales: Float32Array<ArrayBuffer>
}

/** Outputs whose values are written side by side: a processor's line of memory. */
const TILE = 64

/**
 * Rounds a weight matrix to 8 bits, each output by a scale of its own, so that its largest weight is 127 or -127.
 * @param weights [outputs, inputs] where `byOutput`, [inputs, outputs] else
 */
export function roundMatrix(
  weights: Float32Array,
  form: { inputs: number; outputs: number; byOutput: boolean; keepsRests: boolean },
): Int8Matrix {
  const { inputs, outputs, byOutput, keepsRests } = form
  const [ofInput, ofOutput] = byOutput ? [1, inputs] : [outputs, 1]
  const values = new Int8Array(inputs * outputs)
  const rests = keepsRests ? new Int8Array(inputs * outputs) : null
  const scales = new Float32Array(outputs)
  for (let first = 0; first < outputs; first += TILE) {
    const end = Math.min(first + TILE, outputs)
    for (let output = first; output < end; output++) {
      let peak = 0
      for (let input = 0; input < inputs; input++) {
        peak = Math.max(peak, Math.abs(weights[input * ofInput + output * ofOutput]!))
      }
      scales[output] = peak / 127
    }
    for (let input = 0; input < inputs; input++) {
      for (let output = first; output < end; output++) {
        const scale = scales[output]!
        const steps = scale === 0 ? 0 : weights[input * ofInput + output * ofOutput]! / scale
        const value = Math.round(steps)
        values[input * outputs + output] = value
        if (rests !== null) rests[input * outputs + output] = Math.round(254 * (steps - value))
      }
    }
  }
  return { values, rests, scales }
}
