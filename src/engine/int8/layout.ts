import type { QuantizedMatrix } from '../../model/graph/int8/quantize-products.js'
import type { PlannedMatrix } from './make-matrix.js'

const ALIGNMENT = 64

export type Place = Omit<QuantizedMatrix['values'], 'location'>

/** Where each part of a file of int8 weights is. */
export interface Layout {
  matrices: Map<string, { values: Place; residuals: Place | null; scales: Place }>
  sizeBytes: number
}

export function layOut(plans: PlannedMatrix[]): Layout {
  let end = 0
  const place = (sizeBytes: number): Place => {
    const offsetBytes = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offsetBytes + sizeBytes
    return { offsetBytes, sizeBytes }
  }
  const matrices: Layout['matrices'] = new Map(
    plans.map(({ name, inputs, outputs, keepsResiduals }) => {
      const values = place(inputs * outputs)
      const residuals = keepsResiduals ? place(inputs * outputs) : null
      return [name, { values, residuals, scales: place(outputs * Float32Array.BYTES_PER_ELEMENT) }]
    }),
  )
  return { matrices, sizeBytes: end }
}
