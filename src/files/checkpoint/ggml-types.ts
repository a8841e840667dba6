/** How a type of llama.cpp packs numbers: in blocks, row after row. */
interface BlockLayout {
  /** In a block. */
  numbers: number
  bytes: number
  /** Places of the float16 numbers in a block, which are used as they are. */
  halves: number[]
}

/** The packed types that can be read, by ggml's names. */
export const GGML_BLOCKS = {
  Q8_0: { numbers: 32, bytes: 34, halves: [0] },
  Q4_0: { numbers: 32, bytes: 18, halves: [0] },
  Q4_1: { numbers: 32, bytes: 20, halves: [0, 2] },
  Q5_0: { numbers: 32, bytes: 22, halves: [0] },
  Q5_1: { numbers: 32, bytes: 24, halves: [0, 2] },
  Q2_K: { numbers: 256, bytes: 84, halves: [80, 82] },
  Q3_K: { numbers: 256, bytes: 110, halves: [108] },
  Q4_K: { numbers: 256, bytes: 144, halves: [0, 2] },
  Q5_K: { numbers: 256, bytes: 176, halves: [0, 2] },
  Q6_K: { numbers: 256, bytes: 210, halves: [208] },
  IQ4_NL: { numbers: 32, bytes: 18, halves: [0] },
  IQ4_XS: { numbers: 256, bytes: 136, halves: [0] },
  MXFP4: { numbers: 32, bytes: 17, halves: [] },
} as const satisfies Record<string, BlockLayout>

export type GgmlBlockType = keyof typeof GGML_BLOCKS

export function isGgmlBlockType(name: string): name is GgmlBlockType {
  return Object.hasOwn(GGML_BLOCKS, name)
}
