/** How numbers of a type of ggml are stored: in blocks of `numbers` that take `bytes`, row after row. */
export interface GgmlType {
  name: string
  numbers: number
  bytes: number
}

/** Packed types that can be read: id in a file, name, numbers and bytes of a block, offsets of its halves. */
const READABLE_BLOCKS = [
  [8, 'Q8_0', 32, 34, [0]],
  [2, 'Q4_0', 32, 18, [0]],
  [3, 'Q4_1', 32, 20, [0, 2]],
  [6, 'Q5_0', 32, 22, [0]],
  [7, 'Q5_1', 32, 24, [0, 2]],
  [10, 'Q2_K', 256, 84, [80, 82]],
  [11, 'Q3_K', 256, 110, [108]],
  [12, 'Q4_K', 256, 144, [0, 2]],
  [13, 'Q5_K', 256, 176, [0, 2]],
  [14, 'Q6_K', 256, 210, [208]],
  [20, 'IQ4_NL', 32, 18, [0]],
  [23, 'IQ4_XS', 256, 136, [0]],
  [39, 'MXFP4', 32, 17, []],
] as const

/** Plain numbers, and packed types that can only be copied. */
const OTHER_TYPES = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [9, 'Q8_1', 32, 36],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
  [42, 'Q2_0', 64, 18],
] as const

/** By id in a file. */
export const GGML_TYPES: ReadonlyMap<number, GgmlType> = new Map(
  [...READABLE_BLOCKS, ...OTHER_TYPES].map(([id, name, numbers, bytes]) => [id, { name, numbers, bytes }]),
)

export type GgmlBlockType = (typeof READABLE_BLOCKS)[number][1]

interface BlockLayout {
  bytes: number
  /** Offsets of the float16 scales in a block, which are used as stored. */
  halves: readonly number[]
}

/** Types that can be read. */
export const GGML_BLOCKS = Object.fromEntries<BlockLayout>(
  READABLE_BLOCKS.map(([, name, , bytes, halves]) => [name, { bytes, halves }]),
) as Record<GgmlBlockType, BlockLayout>

export function isGgmlBlockType(name: string): name is GgmlBlockType {
  return Object.hasOwn(GGML_BLOCKS, name)
}

/** Id in a file of the type of this name. */
export function idOfGgmlType(name: string): number {
  return [...GGML_TYPES].find(([, type]) => type.name === name)![0]
}
