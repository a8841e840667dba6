export interface Int8Matrix {
  /** [inputs, outputs] */
  values: Int8Array<ArrayBuffer>
  /** Quantisation residuals, in 254ths of a step of `values`, [inputs, outputs]; null if not kept. */
  residuals: Int8Array<ArrayBuffer> | null
  /** [outputs]: the weight of a value of 1. */
  scales: Float32Array<ArrayBuffer>
}

/** Outputs whose values are written side by side: one cache line. */
const TILE = 64

/** Rounds a matrix, [outputs, inputs] if `byOutput`, to int8, each output scaled so that its largest weight is ±127. */
export function roundMatrix(
  weights: Float32Array,
  form: { inputs: number; outputs: number; byOutput: boolean; keepsResiduals: boolean },
): Int8Matrix {
  const { inputs, outputs, byOutput, keepsResiduals } = form
  const [ofInput, ofOutput] = byOutput ? [1, inputs] : [outputs, 1]
  const values = new Int8Array(inputs * outputs)
  const residuals = keepsResiduals ? new Int8Array(inputs * outputs) : null
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
        if (residuals !== null) residuals[input * outputs + output] = Math.round(254 * (steps - value))
      }
    }
  }
  return { values, residuals, scales }
}
