import { Command } from 'commander'
import { memorySize, namedPath, shard, wholeNumber } from './arguments.js'
import { addRunFlags, replaceOption } from './measuring-flags.js'
import { addRemovalFlags } from './removal-flags.js'
import type { EvaluateFlags } from './run/evaluate.js'
import { whileTokenizerStarts } from './while-tokenizer-starts.js'

export function makeEvaluateCommand(): Command {
  const command = new Command('evaluate').description(
    'Measure the perplexity of a model and its accuracy on tasks, whole and without some of its layers; no pruned model is written.',
  )
  return addTaskFlags(addRemovalFlags(addRunFlags(command, { requireTexts: false }), { several: true }))
    .option(
      '--against <id>',
      'another model with the same tokenizer, folder or Hub id: perplexity of both on the same texts, KL divergence and agreement',
    )
    .option(
      '--max-memory <size>',
      'stay below so much memory, for example 8GB, by loading layers as they are needed',
      memorySize,
    )
    .option('--shard <i/N>', 'measure every Nth batch from the ith on; layerprune merge merges the parts', shard)
    .option('--log-samples <file>', 'with --task: also write what was measured of each document, as JSON Lines')
    .option('--resume', 'continue a run with the same flags that was stopped or killed')
    .option('-o, --output <file>', 'also write the result as JSON to a file')
    .addOption(replaceOption())
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
With --dataset, perplexity: each text is cut at --max-length tokens and scored on its own, every token but the first.
Bits per byte are over the UTF-8 bytes of the scored tokens, so that models with different tokenizers can be compared.
KL is KL(whole || cut) in nats per token, and agreement how often the most probable next token is the whole model's. With
--against they are of the model against the other one, whose best weights are read: --dtype and the like are of --model.
With --task, accuracy, document by document as lm-evaluation-harness measures it. Built in: arc_challenge, arc_easy,
boolq, hellaswag, lambada_openai, mmlu and its parts such as mmlu_stem (5 examples), openbookqa, piqa,
truthfulqa_mc1, winogrande. Contexts may be as long as the model takes unless --max-length is given; without
--batch-size as many run at once as is fastest.
Layers are 0-based: 11:19 (end exclusive) and 11..18 (as printed) are the same. Several candidates in one run share
the layers below their first cut, which takes much less time than one run for each.
While it runs, what is measured is in a .partial.json beside the output or in the working folder, for --resume.

Examples:
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --dataset-size 64 --max-length 256
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --drop 11:19 --drop 12:20 --drop 3..4,11..16
  layerprune evaluate --model ./SmolLM2-healed --against ./SmolLM2-135M --dataset texts.jsonl --dataset-size 64
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --drop 11:19 --shard 1/4 -o part-1.json
  layerprune evaluate --model ./SmolLM2-135M --task arc_easy --task hellaswag --limit 500 --drop 11:19
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --from layerprune-output/similarity.json --json`,
    )
    .action(async (flags: EvaluateFlags) =>
      (await whileTokenizerStarts(flags, () => import('./run/evaluate.js'))).run(flags),
    )
}

/** Flags for tasks; `--log-samples` belongs to `evaluate` only. */
export function addTaskFlags(command: Command): Command {
  const list = (value: string, before: string[] = []) => [...before, value]
  return command
    .option('--task <name>', 'task to measure accuracy on, or the .yaml file of one of your own (repeatable)', list)
    .option(
      '--task-data <name=path>',
      'files of a task on this machine: a folder with a file for each split, or one file (repeatable)',
      namedPath,
    )
    .option('--limit <n>', 'with --task: use the first n documents of each (default: all)', wholeNumber(1))
    .option(
      '--num-fewshot <n>',
      'with --task: examples before each document (default: as the task says)',
      wholeNumber(0),
    )
}
