import { formatJson } from '../../base/clean-text.js'
import { describeOrigin } from './settings.js'
import type { Training } from './training.js'
import type { TrainingData } from './training-data.js'

/** A Python script that does the same as the axolotl config, with only PEFT and transformers. */
export function formatPeftScript(training: Training): string {
  return [
    formatHeader(training),
    formatConstants(training),
    formatPacking(training),
    formatModel(training),
    formatTraining(training),
    MERGE,
  ].join('\n')
}

function formatHeader({ settings }: Training): string {
  return `"""
${describeOrigin(settings).join('\n')}

    pip install torch transformers peft datasets accelerate bitsandbytes
    python heal.py

Writes the adapter to OUTPUT and the model with the adapter merged into it to MERGED.
"""

import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    Trainer,
    TrainingArguments,
    default_data_collator,
)
`
}

function formatConstants({ model, data, settings, output, padToken }: Training): string {
  const { microBatchSize, batchSize } = settings
  return `MODEL = ${formatPython(model)}
OUTPUT = ${formatPython(output)}
MERGED = ${formatPython(`${output}-merged`)}
COLUMN = ${formatPython(data.column)}
MAX_LENGTH = ${settings.maxLength}
STEPS = ${settings.steps}
# Sequences at once and steps accumulated: ${batchSize} in all. For N GPUs divide ACCUMULATED by N.
AT_ONCE = ${microBatchSize}
ACCUMULATED = ${batchSize / microBatchSize}

has_gpu = torch.cuda.is_available()
tokenizer = AutoTokenizer.from_pretrained(MODEL)
${padToken === null ? '' : `tokenizer.pad_token = tokenizer.pad_token or ${formatPython(padToken)}\n`}
`
}

function formatPacking({ data }: Training): string {
  return `def pack(batch):
    """Texts, each with an end token, one after the other, cut into sequences of MAX_LENGTH tokens."""
    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    tokens = [token for text in batch[COLUMN] if text for token in tokenizer(text)["input_ids"] + end]
    starts = range(0, len(tokens) - MAX_LENGTH + 1, MAX_LENGTH)
    sequences = [tokens[start : start + MAX_LENGTH] for start in starts]
    return {"input_ids": sequences, "labels": sequences}


texts = ${formatLoading(data)}
sequences = texts.map(pack, batched=True, batch_size=1000, remove_columns=texts.column_names)
`
}

function formatModel({ settings, targets }: Training): string {
  const hasExperts = targets.parameters.length > 0
  return `model = AutoModelForCausalLM.from_pretrained(
    MODEL,
    dtype=torch.bfloat16 if has_gpu else torch.float32,
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    if has_gpu
    else None,
)
if has_gpu:
    model = prepare_model_for_kbit_training(model)
model = get_peft_model(
    model,
    LoraConfig(
        task_type="CAUSAL_LM",
        r=${settings.rank},
        lora_alpha=${settings.rank},
        lora_dropout=${hasExperts ? 0 : settings.dropout},
        target_modules=${formatPython(targets.modules)},${hasExperts ? `\n        target_parameters=${formatPython(targets.parameters)},` : ''}
    ),
)
model.print_trainable_parameters()
`
}

function formatTraining({ settings }: Training): string {
  return `trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=OUTPUT,
        max_steps=STEPS,
        per_device_train_batch_size=AT_ONCE,
        gradient_accumulation_steps=ACCUMULATED,
        learning_rate=${settings.learningRate},
        lr_scheduler_type="cosine",
        warmup_steps=${settings.warmupSteps},
        bf16=has_gpu,
        gradient_checkpointing=has_gpu,
        logging_steps=10,
        save_steps=500,
        save_total_limit=2,
        report_to="none",
    ),
    train_dataset=sequences,
    data_collator=default_data_collator,
)
trainer.train()
trainer.save_model(OUTPUT)
`
}

const MERGE = `base = AutoModelForCausalLM.from_pretrained(MODEL, dtype="auto")
PeftModel.from_pretrained(base, OUTPUT).merge_and_unload().save_pretrained(MERGED)
tokenizer.save_pretrained(MERGED)
`

/** A dataset on the Hub is streamed because it may be larger than the disk. */
function formatLoading(data: TrainingData): string {
  if (data.from === 'hub') {
    const { id, config, split } = data
    const name = config === null ? '' : `, ${formatPython(config)}`
    return `load_dataset(${formatPython(id)}${name}, split=${formatPython(split)}, streaming=True).shuffle(seed=0)`
  }
  return `load_dataset(${formatPython(data.loader)}, data_files=${formatPython(data.files)}, split="train").shuffle(seed=0)`
}

/** A string or a list of strings: JSON writes them as Python does. */
function formatPython(value: string | string[]): string {
  return formatJson(value)
}
