import { Command } from 'commander'
import type { EvaluationOptions } from '../evaluate/perplexity.js'
import { wholeNumber } from './arguments.js'
import { addRunFlags, RUN_OPTIONS } from './measuring-flags.js'
import { addRemovalFlags, type RemovalFlags } from './removal-flags.js'

export const EVALUATE_OPTIONS = [...RUN_OPTIONS, 'datasetSkip'] as const

export interface EvaluateFlags
  extends Pick<EvaluationOptions, (typeof EVALUATE_OPTIONS)[number]>,
    RemovalFlags {
  dataset: string[]
  output?: string
  json?: boolean
  quiet?: boolean
}

export function makeEvaluateCommand(): Command {
  const command = new Command('evaluate').description(
    'Measure the perplexity of a model, whole and without some of its layers; no pruned model is written.',
  )
  return addRemovalFlags(addRunFlags(command), { several: true })
    .option(
      '--dataset-skip <n>',
      'skip the first n texts, for example those that a plan was made from',
      wholeNumber(0),
      0,
    )
    .option('-o, --output <file>', 'also write the result as JSON to a file')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Each text is cut at --max-length tokens and scored on its own, every token but the first. Bits per byte are over the
UTF-8 bytes of the scored tokens, so that models with different tokenizers can be compared.
Layers are 0-based: 11:19 (end exclusive) and 11..18 (as printed) are the same. Several candidates in one run share
the layers below their first cut, which takes much less time than one run for each.

Examples:
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --dataset-size 64 --max-length 256
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --drop 11:19 --drop 12:20 --drop 3..4,11..16
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --from layerprune-output/similarity.json --json`,
    )
    .action(async (flags: EvaluateFlags) => (await import('./run/evaluate.js')).run(flags))
}
