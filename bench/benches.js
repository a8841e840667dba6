import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const model = ({ model, dataset }) => ['--model', model, '--dataset', dataset]
/** Models of few layers can lose one of them. */
const block = ({ small }) => ['--layers-to-skip', small ? '1' : '8']
const runs = ({ small, runs }) => ['--runs', small ? '1' : runs]
const texts = ({ small }) => ['--dataset-size', small ? '8' : '64']
const length = ({ small }) => ['--max-length', small ? '32' : '256']
const similarity = (values) => [
  ...model(values),
  ...block(values),
  ...texts(values),
  ...runs(values),
  ...['--python', values.python],
]

/**
 * What `bench/run.js` runs, in the order of its table.
 * `needs` are its own flags, `imports` the modules of Python, `args(values, folder)` the arguments of the script:
 * from its flags, with a folder for files.
 */
export const BENCHES = [
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
    name: 'memory',
    about: 'similarity within --max-memory 500MB against no limit',
    script: 'within-memory.js',
    needs: ['model', 'dataset'],
    args: (values) => [
      ...model(values),
      ...block(values),
      ...texts(values),
      ...length(values),
      ...runs(values),
      ...['--max-memory', '500MB'],
    ],
  },
  {
    name: 'large',
    about: 'similarity of a model of 7B shape within --max-memory 4GB',
    script: 'within-memory.js',
    needs: ['model', 'dataset'],
    isLong: true,
    args: (values, folder) => [
      ...['--model', values.small ? values.model : makeLargeModel(folder), '--dataset', values.dataset],
      ...['--dataset-size', '4', '--max-memory', '4GB', '--limited-only'],
      ...block(values),
      ...length(values),
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
          ? ['--drop', '1:2', '--minutes', '0.001', '--texts', '4', '--arm', 'cut-healed']
          : ['--drop', '12:20']),
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

function makeLargeModel(folder) {
  const path = join(folder, '7b')
  execFileSync(process.execPath, [fileURLToPath(new URL('make-large-model.js', import.meta.url)), path])
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
