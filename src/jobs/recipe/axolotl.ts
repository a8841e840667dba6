import { quoteForShell } from '../../base/quote-for-shell.js'
import { readTable } from '../../base/read-table.js'
import { formatYaml } from '../../base/yaml.js'
import { describeOrigin } from './settings.js'
import type { Training } from './training.js'
import type { TrainingData } from './training-data.js'

interface AxolotlFacts {
  version: string
  /** It refuses gradient checkpointing of models with one of these in their names. */
  withoutGradientCheckpointing: string[]
}

/** An axolotl config that heals a model with QLoRA, with comments that say where its numbers come from. */
export function formatAxolotlConfig({ model, data, settings, targets, output, padToken }: Training): string {
  const { withoutGradientCheckpointing } = readTable<AxolotlFacts>('axolotl-0.19')
  const hasExperts = targets.parameters.length > 0
  const { maxLength, microBatchSize, batchSize } = settings
  const config = {
    base_model: model,
    load_in_4bit: true,
    ...(hasExperts ? { quantize_moe_experts: true } : {}),
    ...describeData(data),
    sequence_len: maxLength,
    sample_packing: true,
    pad_to_sequence_len: true,
    attn_implementation: 'flash_attention_2',
    adapter: 'qlora',
    lora_r: settings.rank,
    lora_alpha: settings.rank,
    // axolotl demands 0 if experts are changed
    lora_dropout: hasExperts ? 0 : settings.dropout,
    ...(targets.modules.length > 0 ? { lora_target_modules: targets.modules } : {}),
    ...(hasExperts ? { lora_target_parameters: targets.parameters } : {}),
    max_steps: settings.steps,
    micro_batch_size: microBatchSize,
    gradient_accumulation_steps: batchSize / microBatchSize,
    optimizer: 'adamw_torch',
    learning_rate: settings.learningRate,
    lr_scheduler: 'cosine',
    warmup_steps: settings.warmupSteps,
    bf16: 'auto',
    gradient_checkpointing: !withoutGradientCheckpointing.some((part) => model.toLowerCase().includes(part)),
    logging_steps: 10,
    save_steps: 500,
    save_total_limit: 2,
    val_set_size: 0,
    output_dir: output,
    ...(padToken === null ? {} : { special_tokens: { pad_token: padToken } }),
  }
  const comment = [
    ...describeOrigin(settings),
    'For N GPUs divide gradient_accumulation_steps by N.',
    '',
    '    axolotl train axolotl.yaml',
    `    axolotl merge-lora axolotl.yaml --lora-model-dir ${quoteForShell(output)}`,
  ]
  return formatYaml(config, { comment })
}

/** Files are tokenised before the training; a dataset on the Hub is streamed because it may be larger than the disk. */
function describeData(data: TrainingData): object {
  if (data.from === 'hub') {
    const { id, config, split, column } = data
    return {
      streaming: true,
      pretraining_dataset: [
        {
          path: id,
          ...(config === null ? {} : { name: config }),
          split,
          text_column: column,
          type: 'pretrain',
        },
      ],
    }
  }
  const { loader, files, column } = data
  return {
    datasets: files.map((path) => ({ path, ds_type: loader, type: 'completion', field: column })),
    dataset_prepared_path: 'last_run_prepared',
  }
}
