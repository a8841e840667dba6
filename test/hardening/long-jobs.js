// The long jobs that signals.js stops, each a command line and what it writes.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A task in piqa's shape, made of the texts. */
export function writeTask(folder, texts) {
  const rows = texts.slice(0, 120).map((text, index) => ({
    goal: text.slice(0, 60),
    sol1: text.slice(60, 100),
    sol2: texts[(index + 7) % texts.length].slice(60, 100),
    label: index % 2,
  }))
  for (const split of ['train', 'validation']) {
    writeFileSync(join(folder, `${split}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  }
}

/**
 * The long jobs by name.
 * @param length  tokens of each text; the work of every job grows with it
 * @returns arguments, the file or folder that is written, and where the state is kept meanwhile
 */
export function listJobs({ model, dataset, task, length, size }) {
  const weights = ['--model', model, '--threads', '1']
  const inputs = [...weights, '--dataset', dataset, '--max-length', length, '--batch-size', '4']
  const some = [...inputs, '--dataset-size', size]
  const ofTask = [...weights, '--task-data', `piqa=${task}`, '--limit', size]
  const plan = ['plan', '--layers-to-skip', '2', '-o', 'plan.json', '--strategy']
  const prune = [
    'prune',
    ...weights,
    '--dataset',
    dataset,
    '--max-length',
    length,
    '--drop',
    '5:7',
    '-o',
    'made',
    '--no-speed',
  ]
  const job = (args, output, ...states) => ({ args, output, states })
  return {
    similarity: job(
      ['similarity', ...some, '--layers-to-skip', '2', '--tokens', 'all', '-o', 'out'],
      'out/similarity.json',
      'out/similarity.partial.json',
    ),
    'similarity --verify': job(
      ['similarity', ...some, '--layers-to-skip', '2', '--verify', '4', '-o', 'out'],
      'out/similarity.json',
      ...['out/similarity.partial.json', 'out/similarity.verify.partial.json'],
    ),
    evaluate: job(
      ['evaluate', ...some, '--drop', '5:7', '--drop', '4:8', '-o', 'ev.json'],
      'ev.json',
      'ev.partial.json',
    ),
    'evaluate --task': job(
      ['evaluate', ...ofTask, '--task', 'piqa', '--drop', '5:7', '--drop', '4:8', '-o', 'ev.json'],
      'ev.json',
      'ev.partial.json',
    ),
    'plan greedy-perplexity': job([...plan, 'greedy-perplexity', ...some], 'plan.json', 'plan.partial.json'),
    'plan repaired': job([...plan, 'repaired', ...some], 'plan.json', 'plan.partial.json'),
    'plan task': job([...plan, 'task', '--task', 'piqa', ...ofTask], 'plan.json', 'plan.partial.json'),
    'plan verified': job([...plan, 'verified', ...some], 'plan.json', 'plan.partial.json'),
    sweep: job(
      ['sweep', ...some, '--strategy', 'angular', '--strategy', 'greedy-perplexity', '--sizes', '1,2', '-o', 'out'],
      'out/sweep.json',
      'out/sweep.partial.json',
    ),
    'prune --repair': job(
      [...prune, '--repair', '--dataset-size', size],
      'made/model.safetensors',
      'made.layerprune-repair',
    ),
    heal: job(
      // biome-ignore format: a command line
      ['heal', ...inputs, '--steps', '24', '--evaluate-every', '6', '--evaluate-size', '8', '-o', 'made'],
      'made/model.safetensors',
      'made.layerprune-training',
    ),
    'prune --heal': job(
      [...prune, '--repair', '--dataset-size', size, '--heal', '--heal-steps', '12', '--evaluate-size', '8'],
      'made/model.safetensors',
      ...['made.layerprune-repair', 'made.layerprune-pruned/prune.json', 'made.layerprune-training'],
    ),
  }
}
