import { parquetWriteBuffer } from 'hyparquet-writer'
import { createRandom } from '../../../src/base/random.js'

/** A parquet file of the columns id and text. */
export function makeParquet(texts: (string | null)[], rowGroupSize = 1000): Uint8Array {
  const columnData = [
    { name: 'id', data: texts.map((_, i) => i), type: 'INT32' as const },
    { name: 'text', data: texts, type: 'STRING' as const },
  ]
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize }))
}

/** Texts of words of chance, of about `length` characters each; each begins with its number. */
export function makeTexts(count: number, length: number, seed = 1): string[] {
  const random = createRandom(seed)
  const words = Array.from({ length: 1000 }, () => random.below(36 ** 6).toString(36))
  const word = () => words[random.below(words.length)]!
  return Array.from({ length: count }, (_, i) => {
    return `${i}: ${Array.from({ length: Math.ceil(length / 7) }, word).join(' ')}`
  })
}
