import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const model = ({ model, dataset }) => ['--model', model, '--dataset', dataset]
/** Models of few layers can lose one of them. */
const block = ({ small }) => ['--layers-to-skip', small ? '1' : '8']
const runs = ({ small, runs }) => ['--runs', small ? '1' : runs]
/** Layers that are removed from a model of 30, or from one of few. */
const drop = ({ small }) => (small ? '1:2' : '12:20')
const texts = ({ small }) => ['--dataset-size', small ? '8' : '64']
const length = ({ small }) => ['--max-length', small ? '32' : '256']
const withFlags = (values) => [
  ...[...model(values), ...block(values), ...texts(values), ...length(values), ...runs(values)],
]
const similarity = (values) => [
  ...model(values),
  ...block(values),
  ...texts(values),
  ...runs(values),
  ...['--python', values.python],
]

/**
 * What `bench/run.js` runs, in the order of its table. Those that do not say `isLong` take at most some ten minutes each
 * on two cores, three runs included.
 * `needs` are its own flags, `imports` the modules of Python, `args(values, folder)` the arguments of the script:
 * from its flags, with a folder for files.
 */
export const BENCHES = [
  {
    name: 'start',
    about: 'time to help, version and slice-config, and of the example of npm run demo',
    script: 'start-up.js',
    args: ({ small }) => (small ? ['--runs', '1'] : []),
  },
  {
    name: 'similarity',
    about: 'similarity in float32 against PyTorch',
    script: 'against-pytorch.js',
    needs: ['model', 'dataset'],
    imports: ['torch', 'transformers'],
    args: (values) => [...similarity(values), ...length(values)],
  },
  {
    name: 'similarity-q8',
    about: 'similarity in 8-bit integers against PyTorch in float32',
    script: 'against-pytorch.js',
    needs: ['model', 'dataset'],
    imports: ['torch', 'transformers'],
    args: (values) => [...similarity(values), ...length(values), '--', '--dtype', 'q8'],
  },
  {
    name: 'mixed-lengths',
    about: 'similarity of texts of 20 to 1,000 tokens against PyTorch, in float32',
    script: 'against-pytorch.js',
    needs: ['model', 'dataset'],
    imports: ['torch', 'transformers'],
    args: (values) => [...similarity(values), ...(values.small ? length(values) : []), '--mixed-lengths'],
  },
  {
    name: 'long-texts',
    about: 'similarity of texts of 2,048 tokens against PyTorch, in float32',
    script: 'against-pytorch.js',
    needs: ['model', 'dataset'],
    imports: ['torch', 'transformers'],
    args: (values) => [
      ...[...model(values), ...block(values), ...runs(values), '--python', values.python, '--long-texts'],
      ...['--dataset-size', values.small ? '2' : '8', ...(values.small ? length(values) : [])],
    ],
  },
  {
    name: 'q8',
    about: 'similarity in 8-bit integers against float32',
    script: 'with-flags.js',
    needs: ['model', 'dataset'],
    args: (values) => [...withFlags(values), '--', '--dtype', 'q8'],
  },
  {
    name: 'memory',
    about: 'similarity within --max-memory 500MB against no limit',
    script: 'with-flags.js',
    needs: ['model', 'dataset'],
    args: (values) => [...withFlags(values), '--', '--max-memory', '500MB'],
  },
  {
    name: 'large',
    about: 'similarity of a 7B shape of 13.5 GB within --max-memory 4GB',
    script: 'with-flags.js',
    needs: ['dataset'],
    isLong: true,
    args: (values, folder) => [
      ...['--model', values.small ? values.model : makeLargeModel(folder), '--dataset', values.dataset],
      ...[...block(values), '--dataset-size', values.small ? '2' : '16', ...length(values)],
      ...['--runs', '1', '--only-with', '--', '--max-memory', values.small ? '500MB' : '4GB'],
    ],
  },
  {
    name: 'until',
    about: 'texts that --until 0.95 takes, in 1,000 shuffles of the dataset',
    script: 'until.js',
    needs: ['model', 'dataset'],
    args: (values) => [
      ...model(values),
      ...length(values),
      ...(values.small ? ['--dataset-size', '12', '--sizes', '1'] : []),
      ...['--shuffles', values.small ? '2' : '1000'],
    ],
  },
  {
    name: 'strategies',
    about: 'perplexity of cuts by every strategy, with and without repair',
    script: 'strategies.js',
    needs: ['model', 'dataset'],
    isLong: true,
    args: (values, folder) => {
      const [calibrate, evaluate] = halve(values.dataset, folder)
      return [
        ...['--model', values.model, '--calibrate', calibrate, '--evaluate', evaluate],
        ...block(values),
        ...length(values),
        ...(values.small ? ['--strategies', 'angular', '--evaluate-size', '4'] : ['--shuffle', '1']),
      ]
    },
  },
  {
    name: 'repair',
    about: 'prune --repair of 8 of 30 layers, measurements and samples included',
    script: 'time-command.js',
    needs: ['model', 'dataset'],
    args: (values, folder) => [
      ...[...runs(values), '--', 'prune', ...model(values), '--drop', drop(values), '--repair'],
      // fewer texts do not determine what is fitted
      ...(values.small ? ['--dataset-size', '64', '--evaluate-size', '4', '--no-speed'] : []),
      ...['-o', join(folder, 'repaired'), '--quiet'],
    ],
  },
  {
    name: 'plan-repaired',
    about: 'plan --strategy repaired, which chooses 8 of 30 layers by what a repair leaves',
    script: 'time-command.js',
    needs: ['model', 'dataset'],
    args: (values, folder) => [
      ...['--runs', '1', '--', 'plan', ...model(values), ...block(values), '--strategy', 'repaired'],
      ...(values.small ? texts(values) : []),
      ...['-o', join(folder, 'plan.json'), '--quiet'],
    ],
  },
  {
    name: 'tasks',
    about: 'accuracy on 200 documents of arc_easy against lm-evaluation-harness, in float32',
    script: 'against-lm-eval.js',
    needs: ['model'],
    imports: ['lm_eval'],
    args: (values) => [
      ...['--model', values.model, '--python', values.python, ...runs(values)],
      ...['--limit', values.small ? '2' : '200'],
      ...(values['task-data'] ? ['--data', values['task-data']] : []),
    ],
  },
  {
    name: 'prune',
    about: 'prune against mergekit, of a random Llama of 1 GB',
    script: 'prune-against-mergekit.js',
    imports: ['mergekit'],
    args: (values) => [
      ...['--python', values.python],
      ...(values.small ? ['--model', values.model, '--drop', '1:2'] : []),
      ...runs(values),
    ],
  },
  {
    name: 'heal',
    about: 'training steps of heal against PEFT with PyTorch',
    script: 'heal-against-peft.js',
    needs: ['model', 'dataset'],
    imports: ['torch', 'transformers', 'peft'],
    args: (values) => [
      ...model(values),
      ...length(values),
      ...['--python', values.python],
      ...(values.small ? ['--steps', '1', '--batch-size', '1', '--rank', '2'] : []),
    ],
  },
  {
    name: 'heal-table',
    about: 'perplexity of a cut that is repaired, trained or both',
    script: 'heal-table.js',
    needs: ['model', 'dataset'],
    isLong: true,
    args: (values, folder) => {
      const [train, evaluate] = halve(values.dataset, folder)
      return [
        ...['--model', values.model, '--train', train, '--evaluate', evaluate, '--work', folder],
        ...length(values),
        ...(values.small
          ? ['--drop', drop(values), '--minutes', '0.001', '--texts', '4', '--arm', 'cut-healed']
          : ['--drop', drop(values)]),
      ]
    },
  },
  {
    name: 'solve',
    about: 'the equations of a repair at hidden size 4096',
    script: 'solve-4096.js',
    args: ({ small }) => (small ? ['--features', '16,32', '--hidden', '16'] : []),
  },
]

/** Writes the model of `make-large-model.js`, whose file is mostly holes. */
function makeLargeModel(folder) {
  const path = join(folder, 'large')
  const script = fileURLToPath(new URL('make-large-model.js', import.meta.url))
  const { status } = spawnSync(process.execPath, [script, path], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`make-large-model.js ended with ${status}`)
  return path
}

/** The files of every other line of the dataset, to calibrate or train on, and of the rest, to evaluate on. */
function halve(dataset, folder) {
  const lines = readFileSync(dataset, 'utf8').trimEnd().split('\n')
  return ['calibrate', 'evaluate'].map((name, half) => {
    const path = join(folder, `${name}.jsonl`)
    writeFileSync(path, `${lines.filter((_, index) => index % 2 === half).join('\n')}\n`)
    return path
  })
}
