import type { QuantizedMatrix } from '../graph/quantize-products.js'
import type { PlannedMatrix } from './make-matrix.js'

const ALIGNMENT = 64

export type Place = Omit<QuantizedMatrix['values'], 'location'>

/** What lies where in a file of int8 weights. */
export interface Layout {
  matrices: Map<string, { values: Place; rests: Place | null; scales: Place }>
  rotation: { place: Place; size: number } | null
  sizeBytes: number
}

/** @param rotationSize width of the rotated stream; null where none is rotated */
export function layOut(plans: PlannedMatrix[], rotationSize: number | null): Layout {
  let end = 0
  const place = (sizeBytes: number): Place => {
    const offsetBytes = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offsetBytes + sizeBytes
    return { offsetBytes, sizeBytes }
  }
  const ofFloats = (count: number) => place(count * Float32Array.BYTES_PER_ELEMENT)
  const matrices: Layout['matrices'] = new Map(
    plans.map(({ name, inputs, outputs, keepsRests }) => {
      const values = place(inputs * outputs)
      const rests = keepsRests ? place(inputs * outputs) : null
      return [name, { values, rests, scales: ofFloats(outputs) }]
    }),
  )
  const rotation = rotationSize === null ? null : { place: ofFloats(rotationSize ** 2), size: rotationSize }
  return { matrices, rotation, sizeBytes: end }
}
