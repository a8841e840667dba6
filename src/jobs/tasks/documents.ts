import { LayerpruneError } from '../../base/errors.js'
import type { DataRecord } from '../../texts/data/records.js'
import type { Rule, TaskDefinition } from './definition.js'
import { type Evaluated, evaluateRules } from './evaluate-rules.js'
import { ExampleSampler } from './examples.js'
import { parseList } from './literals.js'
import { countCharacters } from './python-text.js'

/** A context and a continuation, whose likelihood is measured. */
export interface TaskRequest {
  context: string
  continuation: string
}

/** A document of a task as the model sees it. */
export interface TaskDocument {
  /** Where it came from: file and line or row. */
  origin: string
  /** One for each choice. */
  requests: TaskRequest[]
  /** Places of the right choices; none if the document names no choice that there is. */
  gold: number[]
  /** Length of each choice in characters: what `acc_norm` divides by. */
  choiceLengths: number[]
}

/** The parts of a document by the rules of its task. */
interface Answered {
  text: string | number
  target: unknown
  choices: string[] | undefined
}

/**
 * Makes the documents of a task as lm-evaluation-harness does: the description, examples with their answers, and what
 * is asked; for each choice, what follows.
 * @param examples  rows that examples are taken from, if there are any before each document
 * @param count     of examples before each document
 * @throws LayerpruneError, naming the task and the row, for a document that the rules do not fit
 */
export async function makeDocuments(
  task: TaskDefinition,
  records: DataRecord[],
  { examples, count, signal }: { examples: DataRecord[]; count: number; signal?: AbortSignal | undefined },
): Promise<TaskDocument[]> {
  const sampler = new ExampleSampler(task, examples, count)
  const chosen = records.map((record) => sampler.choose(record))
  const evaluated = await evaluateRules(task, [...new Set([...records, ...chosen.flat()])], signal)
  const maker = new DocumentMaker(task, records, evaluated)
  return records.map((record, index) => maker.make(record, chosen[index]!))
}

class DocumentMaker {
  readonly #task: TaskDefinition
  /** Names of fields, which a rule may be instead of a template. */
  readonly #fields: Set<string>
  /** What the templates give for each document. */
  readonly #evaluated: Map<DataRecord, Map<string, Evaluated>>

  constructor(task: TaskDefinition, records: DataRecord[], evaluated: Map<DataRecord, Map<string, Evaluated>>) {
    this.#task = task
    this.#fields = new Set(records.flatMap(({ fields }) => Object.keys(fields)))
    this.#evaluated = evaluated
  }

  make(record: DataRecord, examples: DataRecord[]): TaskDocument {
    const { origin } = record
    const { description, kind, targetDelimiter } = this.#task
    const before = [
      description === undefined ? '' : this.#text(description, record, 'description'),
      ...examples.map((example) => this.#writeExample(example)),
    ].join('')
    const { text, target, choices } = this.#answer(record)
    if (kind === 'loglikelihood') {
      const continuation = this.#expectString(target, record, 'doc_to_target')
      const context = before + this.#expectString(text, record, 'doc_to_text')
      return { origin, requests: [{ context, continuation }], gold: [0], choiceLengths: [] }
    }
    const requests = choices!.map((choice) =>
      typeof text === 'number'
        ? { context: before + choice, continuation: `${targetDelimiter}${target}` }
        : { context: before + text, continuation: `${targetDelimiter}${choice}` },
    )
    const gold = this.#findGold(typeof text === 'number' ? text : target, choices!, record)
    return { origin, requests, gold, choiceLengths: choices!.map(countCharacters) }
  }

  /** An example with its answer, which is a choice or the target itself. */
  #writeExample(example: DataRecord): string {
    const { targetDelimiter, exampleDelimiter } = this.#task
    const { text, target, choices } = this.#answer(example)
    const question = typeof text === 'number' ? choices?.[text] : text
    const named = typeof target === 'number' && typeof text !== 'number' ? choices?.[target] : target
    const answer = Array.isArray(named) ? named[0] : named
    if (question === undefined) throw this.#wrong(example, 'doc_to_text', 'is the place of no choice')
    if (answer === null || answer === '') return question
    return `${question}${targetDelimiter}${this.#expectString(answer, example, 'doc_to_target')}${exampleDelimiter}`
  }

  #answer(record: DataRecord): Answered {
    const { text, target, choices } = this.#task
    const given = choices === undefined ? undefined : this.#choices(choices, record)
    return {
      text: this.#asked(text, record, given),
      target: this.#target(target, record, given),
      choices: given,
    }
  }

  #find(rule: Rule, record: DataRecord): unknown {
    if ('value' in rule) return rule.value
    // a field that only other rows have is None
    if (!this.#isTemplate(rule)) return record.fields[rule.template] ?? null
    const evaluated = this.#evaluated.get(record)!.get(rule.template)!
    if ('value' in evaluated) return evaluated.value
    throw new LayerpruneError(`${rule.key}: ${evaluated.failure}: ${record.origin}`, {
      hint: `the document has the fields ${Object.keys(record.fields).join(', ')}`,
    })
  }

  #isTemplate(rule: Rule): boolean {
    return 'template' in rule && !this.#fields.has(rule.template)
  }

  #text(rule: Rule, record: DataRecord, key: string): string {
    const value = this.#find(rule, record)
    if (typeof value === 'number') return String(value)
    return this.#expectString(value, record, key)
  }

  #choices(rule: Rule, record: DataRecord): string[] {
    const value = this.#find(rule, record)
    const list = typeof value === 'string' ? parseList(value) : value
    if (Array.isArray(list) && list.length > 0 && list.every((choice) => typeof choice === 'string')) return list
    throw this.#wrong(record, 'doc_to_choice', 'must give a list of strings')
  }

  /** A number is the place of a choice, and code of a list that a template prints is the list. */
  #target(rule: Rule, record: DataRecord, choices: string[] | undefined): unknown {
    const value = this.#find(rule, record)
    if (typeof value === 'boolean') return Number(value)
    if (typeof value === 'number') return choices === undefined ? String(value) : value
    if (typeof value !== 'string') return value
    return (this.#isTemplate(rule) && parseList(value)) || this.#place(rule, value, choices)
  }

  /** The index of the choice in question. */
  #asked(rule: Rule, record: DataRecord, choices: string[] | undefined): string | number {
    const value = this.#find(rule, record)
    if (typeof value === 'number' && choices !== undefined) return value
    return this.#place(rule, this.#text(rule, record, 'doc_to_text'), choices)
  }

  /** Digits that a template prints are the place of a choice; a field of digits is a text. */
  #place(rule: Rule, text: string, choices: string[] | undefined): string | number {
    return choices !== undefined && this.#isTemplate(rule) && /^\d+$/.test(text) ? Number(text) : text
  }

  #findGold(target: unknown, choices: string[], record: DataRecord): number[] {
    const places = [target].flat().map((item) => (typeof item === 'string' ? choices.indexOf(item) : item))
    if (!places.every(Number.isSafeInteger)) throw this.#wrong(record, 'doc_to_target', 'must name a choice')
    return (places as number[]).filter((place) => place >= 0 && place < choices.length)
  }

  #expectString(value: unknown, record: DataRecord, key: string): string {
    if (typeof value === 'string') return value
    throw this.#wrong(record, key, `must give a string, found ${JSON.stringify(value)}`)
  }

  #wrong({ origin }: DataRecord, key: string, what: string): LayerpruneError {
    return new LayerpruneError(`task ${this.#task.name}: ${key} ${what}: ${origin}`)
  }
}
