import { stat } from 'node:fs/promises'
import type { HealingSettings } from './settings.js'
import type { TrainingData } from './training-data.js'

/** For English text with the usual tokenizers. */
const BYTES_PER_TOKEN = 4

/** About how often a training reads its texts, by file size; null for a dataset on the Hub or compressed files. */
export async function estimateEpochs(
  data: TrainingData,
  { steps, batchSize, maxLength }: Pick<HealingSettings, 'steps' | 'batchSize' | 'maxLength'>,
): Promise<number | null> {
  if (data.from !== 'files' || data.loader === 'parquet') return null
  if (data.files.some((file) => /\.(gz|zst)$/.test(file))) return null
  const sizes = await Promise.all(data.files.map(async (file) => (await stat(file)).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return bytes === 0 ? null : (steps * batchSize * maxLength * BYTES_PER_TOKEN) / bytes
}
