import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import type { TaskMetric } from '../../results/documents/task-result.js'

/**
 * How a part of a document is found: by a template, which may be the name of a field, or it is the same for all.
 * `key` is where the template was read, for messages.
 */
export type Rule = { template: string; key: string } | { value: unknown }

/** A task as lm-evaluation-harness defines it: its documents, their prompts and its metrics. */
export interface TaskDefinition {
  name: string
  /** Id on the Hub, a file or a folder. */
  dataset: string
  /** Configuration on the Hub. */
  config: string | undefined
  /** Files by split. */
  files: Record<string, string[]> | undefined
  /** Split that is measured, and the one from which examples come; undefined if the definition names none. */
  split: string
  exampleSplit: string
  /** Whether examples are drawn with one to spare, and the document itself removed from them. */
  avoidsDocument: boolean
  sampler: 'default' | 'first_n'
  /** Examples before each document; null if the definition does not say. */
  examples: number | null
  /** Choices whose likelihoods are compared, or one continuation that is to be the most likely. */
  kind: 'multiple_choice' | 'loglikelihood'
  text: Rule
  target: Rule
  choices: Rule | undefined
  description: Rule | undefined
  targetDelimiter: string
  exampleDelimiter: string
  metrics: TaskMetric[]
  /** Prepares the fields of each row. */
  prepare?: (fields: Record<string, unknown>, where: string) => Record<string, unknown>
}

type Config = Record<string, unknown>

/** Keys that change nothing of what is measured. */
const IGNORED_KEYS = [
  ...['tag', 'group', 'task_alias', 'metadata', 'should_decontaminate', 'doc_to_decontamination_query'],
]
const KEYS = new Set([
  ...['task', 'dataset_path', 'dataset_name', 'dataset_kwargs', 'output_type', 'metric_list', 'repeats'],
  ...['training_split', 'validation_split', 'test_split', 'fewshot_split', 'fewshot_config', 'num_fewshot'],
  ...['doc_to_text', 'doc_to_target', 'doc_to_choice', 'description', 'target_delimiter', 'fewshot_delimiter'],
  ...IGNORED_KEYS,
])
const FILE_FORMATS = ['json', 'parquet']

/**
 * Reads the definition of a task in the keys of lm-evaluation-harness (its version 0.4.13).
 * @param from  where it was read, for messages
 * @throws LayerpruneError, naming the key, for what is missing or not understood
 */
export function readDefinition(config: Config, from: string): TaskDefinition {
  const reader = new DefinitionReader(config, from)
  const kind = reader.choice('output_type', ['multiple_choice', 'loglikelihood'] as const)
  const choices = reader.rule('doc_to_choice')
  if (kind === 'multiple_choice' && choices === undefined) throw reader.wrong('doc_to_choice', 'is missing')
  if (config.repeats !== undefined && config.repeats !== 1) throw reader.wrong('repeats', 'must be 1')
  return {
    name: reader.name(),
    ...reader.dataset(),
    ...reader.splits(),
    sampler: reader.sampler(),
    examples: reader.count('num_fewshot'),
    kind,
    text: reader.rule('doc_to_text') ?? reader.missing('doc_to_text'),
    target: reader.rule('doc_to_target') ?? reader.missing('doc_to_target'),
    choices,
    description: reader.rule('description'),
    targetDelimiter: reader.string('target_delimiter') ?? ' ',
    exampleDelimiter: reader.string('fewshot_delimiter') ?? '\n\n',
    metrics: reader.metrics(kind),
  }
}

class DefinitionReader {
  readonly #config: Config
  readonly #from: string

  constructor(config: Config, from: string) {
    this.#config = config
    this.#from = from
    for (const key of Object.keys(config)) {
      if (!KEYS.has(key) && config[key] !== null) throw this.wrong(key, 'is not understood')
    }
  }

  wrong(key: string, what: string, hint?: string): LayerpruneError {
    return new LayerpruneError(`${this.#from}: ${key} ${what}`, hint === undefined ? {} : { hint })
  }

  missing(key: string): never {
    throw this.wrong(key, 'is missing')
  }

  string(key: string): string | undefined {
    const value = this.#config[key] ?? undefined
    if (value === undefined || typeof value === 'string') return value
    throw this.wrong(key, `must be a string, found ${JSON.stringify(value)}`)
  }

  /** Results and data are kept under it. */
  name(): string {
    const name = this.string('task') ?? this.missing('task')
    if (name in Object.prototype) throw this.wrong('task', `must be another name than ${name}`)
    return name
  }

  count(key: string): number | null {
    const value = this.#config[key] ?? null
    if (value === null || (Number.isSafeInteger(value) && (value as number) >= 0)) return value as number | null
    throw this.wrong(key, `must be a whole number of at least 0, found ${JSON.stringify(value)}`)
  }

  choice<T extends string>(key: string, known: readonly T[]): T {
    const value = this.#config[key] ?? 'generate_until'
    if ((known as readonly unknown[]).includes(value)) return value as T
    throw this.wrong(key, `must be ${known.join(' or ')}, found ${JSON.stringify(value)}`)
  }

  rule(key: string): Rule | undefined {
    const value = this.#config[key] ?? undefined
    if (value === undefined) return undefined
    if (typeof value === 'string') return { template: value, key: `${this.#from}: ${key}` }
    // the values of an object are its choices
    return { value: isObject(value) ? Object.values(value) : value }
  }

  dataset(): Pick<TaskDefinition, 'dataset' | 'config' | 'files'> {
    const dataset = this.string('dataset_path') ?? this.missing('dataset_path')
    const { data_files: files, ...others } = (this.#config.dataset_kwargs ?? {}) as Config
    const [unknown] = Object.keys(others).filter((key) => key !== 'trust_remote_code')
    if (unknown !== undefined) throw this.wrong(`dataset_kwargs.${unknown}`, 'is not understood')
    const isFormat = FILE_FORMATS.includes(dataset)
    if (isFormat && files === undefined)
      throw this.wrong('dataset_kwargs.data_files', `is missing: dataset_path is ${dataset}`)
    if (!isFormat && files !== undefined) {
      throw this.wrong('dataset_kwargs.data_files', `is for dataset_path ${FILE_FORMATS.join(' or ')} only`)
    }
    return {
      dataset,
      config: this.string('dataset_name'),
      files: isFormat ? this.#filesBySplit(files) : undefined,
    }
  }

  /** One file or a list are the split train, as `load_dataset` has it. */
  #filesBySplit(files: unknown): Record<string, string[]> {
    const bySplit = isObject(files) ? files : { train: files }
    return Object.fromEntries(
      Object.entries(bySplit).map(([split, value]) => {
        const paths = [value].flat()
        if (paths.length > 0 && paths.every((path) => typeof path === 'string')) return [split, paths as string[]]
        throw this.wrong('dataset_kwargs.data_files', `must name files, found ${JSON.stringify(value)}`)
      }),
    )
  }

  splits(): Pick<TaskDefinition, 'split' | 'exampleSplit' | 'avoidsDocument'> {
    const test = this.string('test_split')
    const validation = this.string('validation_split')
    const examples = this.#exampleConfig().split ?? this.string('fewshot_split')
    const split = test ?? validation ?? this.missing('test_split')
    return {
      split,
      exampleSplit: (examples as string | undefined) ?? this.string('training_split') ?? validation ?? split,
      avoidsDocument: examples === test,
    }
  }

  sampler(): TaskDefinition['sampler'] {
    const { sampler = 'default' } = this.#exampleConfig()
    if (sampler === 'default' || sampler === 'first_n') return sampler
    throw this.wrong('fewshot_config.sampler', `must be default or first_n, found ${JSON.stringify(sampler)}`)
  }

  #exampleConfig(): Config {
    const config = this.#config.fewshot_config ?? {}
    if (!isObject(config)) throw this.wrong('fewshot_config', 'must be an object')
    const unknown = Object.keys(config).find((key) => key !== 'sampler' && key !== 'split')
    if (unknown !== undefined) throw this.wrong(`fewshot_config.${unknown}`, 'is not understood')
    return config
  }

  metrics(kind: TaskDefinition['kind']): TaskMetric[] {
    const known: readonly TaskMetric[] = kind === 'loglikelihood' ? ['perplexity', 'acc'] : ['acc', 'acc_norm']
    const list = this.#config.metric_list ?? known.map((metric) => ({ metric }))
    if (!Array.isArray(list) || list.length === 0) throw this.wrong('metric_list', 'must be a list of metrics')
    return list.map((entry): TaskMetric => {
      const { metric, aggregation, higher_is_better: _, ...others } = entry as Config
      if (!known.includes(metric as TaskMetric)) {
        throw this.wrong('metric_list', `may have ${known.join(' and ')}, found ${JSON.stringify(metric)}`)
      }
      const expected = metric === 'perplexity' ? 'perplexity' : 'mean'
      const unknown =
        Object.keys(others)[0] ?? (aggregation === undefined || aggregation === expected ? undefined : 'aggregation')
      if (unknown === undefined) return metric as TaskMetric
      throw this.wrong(`metric_list: ${unknown} of ${metric}`, 'is not understood')
    })
  }
}
