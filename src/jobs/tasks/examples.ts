import { isDeepStrictEqual } from 'node:util'
import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import type { DataRecord } from '../../texts/data/records.js'
import type { TaskDefinition } from './definition.js'
import { PythonRandom } from './python-random.js'

/** lm-evaluation-harness's own, unless its user names another. */
const SEED = 1234

/** Chooses few-shot examples as lm-evaluation-harness does: one random sequence serves all documents of a task. */
export class ExampleSampler {
  readonly #task: Pick<TaskDefinition, 'name' | 'sampler' | 'avoidsDocument' | 'exampleSplit'>
  readonly #examples: DataRecord[]
  readonly #count: number
  readonly #random = new PythonRandom(SEED)

  /** @throws LayerpruneError if there are fewer examples than are asked for */
  constructor(
    task: Pick<TaskDefinition, 'name' | 'sampler' | 'avoidsDocument' | 'exampleSplit'>,
    examples: DataRecord[],
    count: number,
  ) {
    this.#task = task
    this.#examples = examples
    this.#count = count
    if (count > 0 && this.#drawn > examples.length) throw this.#tooFew(examples.length)
  }

  /** @param document  that they precede; it is not one of them if the task says so */
  choose(document: DataRecord): DataRecord[] {
    if (this.#count === 0) return []
    const { avoidsDocument, sampler } = this.#task
    const allowed = (pool: DataRecord[]) =>
      avoidsDocument ? pool.filter(({ fields }) => !isDeepStrictEqual(fields, document.fields)) : pool
    const chosen =
      sampler === 'first_n' ? allowed(this.#examples) : allowed(this.#random.sample(this.#examples, this.#drawn))
    if (chosen.length >= this.#count) return chosen.slice(0, this.#count)
    const others = allowed(this.#examples)
    if (others.length < this.#count || sampler === 'first_n') throw this.#tooFew(others.length)
    return this.#random.sample(others, this.#count)
  }

  /** One to spare if the document might be among them. */
  get #drawn(): number {
    const { sampler, avoidsDocument } = this.#task
    return this.#count + (sampler === 'default' && avoidsDocument ? 1 : 0)
  }

  #tooFew(found: number): LayerpruneError {
    const { name, exampleSplit } = this.#task
    return new LayerpruneError(
      `task ${name}: its split ${exampleSplit} has ${formatQuantity(found, 'document')} for examples, ${this.#drawn} are needed`,
      { hint: 'use fewer examples: `numFewshot`' },
    )
  }
}
