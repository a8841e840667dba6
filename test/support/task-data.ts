import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRandom, type Random, shuffleInPlace } from '../../src/base/random.js'

type Row = Record<string, unknown>

/** Made documents in the shape of the datasets of tasks, with what is awkward in them: spaces, quotes, marks, other scripts. */
const PEOPLE = ['Mara', 'the miller', 'Dr. O’Neill', 'an old carpenter', 'Zoë', 'the queen', 'Li Wei', 'nobody']
const THINGS = [
  'a red boat',
  'three loaves of bread',
  'the "grand" piano',
  'salt',
  'a map (torn)',
  'ice',
  '7 candles',
  "the mill's wheel",
]
const PLACES = [
  'behind the mill',
  'in Café Río',
  'on the bridge',
  'under 12 °C water',
  'at sea',
  'in the year 1907',
  'near Москва',
]
const DEEDS = ['carries', 'melts', 'paints', 'forgets', 'sells', 'repairs', 'finds', 'weighs']
const REASONS = [
  'because it is heavy',
  'when the rain stops',
  'so that it floats',
  'and laughs',
  'although nobody asked',
  'by heating it',
]
const ADVERBS = ['slowly', 'twice', 'again', 'at night', 'with care', 'for 3 days', 'in silence', 'before noon']

class Writer {
  readonly random: Random

  constructor(seed: number) {
    this.random = createRandom(seed)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!
  }

  clause(): string {
    return `${this.pick(PEOPLE)} ${this.pick(DEEDS)} ${this.pick(THINGS)} ${this.pick(PLACES)}`
  }

  sentence(): string {
    const text = `${this.clause()} ${this.pick(ADVERBS)}, ${this.pick(REASONS)}`
    return `${text[0]!.toUpperCase()}${text.slice(1)}.`
  }

  passage(least: number, most: number): string {
    return Array.from({ length: least + this.random.below(most - least + 1) }, () => this.sentence()).join(' ')
  }

  question(): string {
    return `What ${this.pick(DEEDS)} ${this.pick(THINGS)} ${this.pick(PLACES)} ${this.pick(ADVERBS)}?`
  }

  answer(): string {
    const forms = [
      () => this.pick(THINGS),
      () => this.clause(),
      () => `${this.pick(THINGS)} ${this.pick(PLACES)}`,
      () => this.pick(ADVERBS),
    ]
    return this.pick(forms)()
  }

  answers(count: number): string[] {
    const found = new Set<string>()
    while (found.size < count) found.add(this.answer())
    return shuffleInPlace([...found], this.random)
  }
}

/** How a row of each dataset looks, by the name of the task. */
const ROWS: Record<string, (writer: Writer, index: number) => Row> = {
  arc_easy: (writer, index) => {
    const count = 3 + writer.random.below(3)
    const label = index % 7 === 0 ? ['1', '2', '3', '4', '5'].slice(0, count) : [...'ABCDE'].slice(0, count)
    return {
      id: `Q_${index}`,
      question: index % 11 === 0 ? `${writer.question()} ` : writer.question(),
      choices: { text: writer.answers(count), label },
      answerKey: writer.pick(label),
    }
  },
  boolq: (writer, index) => ({
    question: writer.question().replace(/\?$/, '').toLowerCase(),
    passage: writer.passage(3, 9),
    idx: index,
    label: writer.random.below(2),
  }),
  hellaswag: (writer, index) => ({
    ind: index,
    activity_label: writer.pick(['Making bread', 'Sailing', 'Finance and Business']),
    ctx_a:
      index % 3 === 0
        ? `[header] How to paint [title] ${writer.sentence()} [step]  ${writer.sentence()}`
        : writer.sentence(),
    ctx_b: index % 4 === 0 ? '' : writer.clause(),
    ctx: '',
    endings: Array.from({ length: 4 }, (_, ending) =>
      ending % 2 === 0 ? ` ${writer.clause()}.` : `${writer.clause()}. [substeps] ${writer.sentence()} `,
    ),
    source_id: `wikihow~${index}`,
    split: 'val',
    split_type: 'indomain',
    label: `${writer.random.below(4)}`,
  }),
  lambada_openai: (writer) => ({ text: `${writer.passage(2, 4)} ${writer.clause()}` }),
  mmlu: (writer, index) => ({
    question: index % 5 === 0 ? ` ${writer.question()}\n` : writer.question(),
    subject: 'anatomy',
    choices: writer.answers(4),
    answer: writer.random.below(4),
  }),
  openbookqa: (writer, index) => ({
    id: `7-${index}`,
    question_stem: writer.sentence().slice(0, -1),
    choices: { text: writer.answers(4), label: ['A', 'B', 'C', 'D'] },
    answerKey: writer.pick(index % 3 === 0 ? [' A', ' D'] : ['A', 'B', 'C', 'D']),
  }),
  piqa: (writer) => {
    const [sol1, sol2] = [writer.sentence(), writer.sentence()]
    return { goal: writer.question(), sol1, sol2, label: writer.random.below(2) }
  },
  truthfulqa_mc1: (writer) => {
    const choices = writer.answers(3 + writer.random.below(4))
    const labels = choices.map((_, place) => Number(place === 0))
    return { question: writer.question(), mc1_targets: { choices, labels }, mc2_targets: { choices, labels } }
  },
  winogrande: (writer) => ({
    sentence: `${writer.sentence()} So ${writer.pick(['_ was', "_'s boat was", 'then _ felt'])} ${writer.pick(ADVERBS)} ${writer.pick(PLACES)}.`,
    option1: writer.pick(PEOPLE.slice(0, 4)),
    option2: writer.pick(PEOPLE.slice(4)),
    answer: writer.pick(['1', '2']),
  }),
}
ROWS.arc_challenge = ROWS.arc_easy!

/** Splits that each dataset has; examples of MMLU are in `dev`. */
const SPLITS: Record<string, string[]> = {
  ...{ lambada_openai: ['test'], truthfulqa_mc1: ['validation'], mmlu: ['test', 'dev'] },
  ...{ boolq: ['train', 'validation'], hellaswag: ['train', 'validation'], piqa: ['train', 'validation'] },
  winogrande: ['train', 'validation'],
}

/**
 * Writes a dataset in the shape of a task's own, a JSON Lines file for each split.
 * @param count  of documents in each split; the same ones for the same count
 * @returns the folder
 */
export function writeTaskData(folder: string, task: string, count: number): string {
  for (const [place, split] of (SPLITS[task] ?? ['train', 'validation', 'test']).entries()) {
    const writer = new Writer(1000 * place + task.length)
    const rows = Array.from({ length: count }, (_, index) => ROWS[task]!(writer, index))
    const file = join(folder, task, `${split}.jsonl`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  }
  return join(folder, task)
}
