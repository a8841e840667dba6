import type { QuantizedMatrix } from '../graph/quantize-products.js'
import type { PlannedMatrix } from './make-matrix.js'

const ALIGNMENT = 64

export type Place = Omit<QuantizedMatrix['values'], 'location'>

/** Where each part of a file of int8 weights is. */
export interface Layout {
  matrices: Map<string, { values: Place; residuals: Place | null; scales: Place }>
  rotation: { place: Place; size: number } | null
  sizeBytes: number
}

/** @param rotationSize width of the rotated stream; null if it is not rotated */
export function layOut(plans: PlannedMatrix[], rotationSize: number | null): Layout {
  let end = 0
  const place = (sizeBytes: number): Place => {
    const offsetBytes = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offsetBytes + sizeBytes
    return { offsetBytes, sizeBytes }
  }
  const ofFloats = (count: number) => place(count * Float32Array.BYTES_PER_ELEMENT)
  const matrices: Layout['matrices'] = new Map(
    plans.map(({ name, inputs, outputs, keepsResiduals }) => {
      const values = place(inputs * outputs)
      const residuals = keepsResiduals ? place(inputs * outputs) : null
      return [name, { values, residuals, scales: ofFloats(outputs) }]
    }),
  )
  const rotation = rotationSize === null ? null : { place: ofFloats(rotationSize ** 2), size: rotationSize }
  return { matrices, rotation, sizeBytes: end }
}
