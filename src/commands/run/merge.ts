import { readSimilarityResult } from '../../documents/read-saved.js'
import { mergeShards } from '../../similarity/merge-shards.js'
import { setQuiet } from '../../terminal/output.js'
import type { MergeFlags } from '../merge.js'
import { writeResultFiles } from './result-files.js'
import { showResult } from './show-result.js'

export async function run(files: string[], flags: MergeFlags): Promise<void> {
  setQuiet(flags.quiet ?? false)
  const shards = await Promise.all(
    files.map(async (file) => ({ file, result: await readSimilarityResult(file) })),
  )
  const result = mergeShards(shards)
  const written = await writeResultFiles(flags.output, result)
  await showResult(result, flags, written)
}
