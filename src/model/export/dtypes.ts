import { DataType } from '../graph/onnx/onnx.js'
import type { BlockBits } from './blocks.js'
import type { FloatType } from './weight-forms.js'

/** How an exported graph stores weights and multiplies, under the names of transformers.js. */
export interface ExportForm {
  /** Bits of the matrices, in blocks; undefined for floating point. */
  bits: BlockBits | undefined
  /** Bits of what is as long as the vocabulary, which errors cost most: the embedding and the head. */
  vocabularyBits: BlockBits
  /** Type of caches, of products and of what matrices are stored in, in blocks of their factors; all else is float32. */
  type: FloatType
  /** What transformers.js adds to `model` in the name of the graph's file. */
  suffix: string
}

export const EXPORT_FORMS = {
  fp32: { bits: undefined, vocabularyBits: 8, type: DataType.FLOAT, suffix: '' },
  fp16: { bits: undefined, vocabularyBits: 8, type: DataType.FLOAT16, suffix: '_fp16' },
  q8: { bits: 8, vocabularyBits: 8, type: DataType.FLOAT, suffix: '_quantized' },
  q4: { bits: 4, vocabularyBits: 8, type: DataType.FLOAT, suffix: '_q4' },
  q4f16: { bits: 4, vocabularyBits: 8, type: DataType.FLOAT16, suffix: '_q4f16' },
} as const satisfies Record<string, ExportForm>

export type ExportDtype = keyof typeof EXPORT_FORMS
