import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { nameCut, rememberCompared, rememberContinuations, rememberMeasured } from '../evaluate/remember.js'
import type { Identity } from '../run/identity.js'
import { Answers, assertSameWork, type Form, type ResumeOptions, type SavedWork } from '../run/saved-work.js'
import { type KeptDistances, measureKeeping } from '../similarity/keep-distances.js'
import type { SimilarityOptions } from '../similarity/options.js'
import type { Measuring } from './race.js'

/** What a plan has found out so far. */
export interface PlanWork extends SavedWork {
  distances: KeptDistances
  /** The perplexities of `verified`. */
  check?: SavedWork | undefined
}

type Searched = Evaluator & Pick<Measuring, 'measureErrors'>

/** Remembers what a plan measures, so that a stopped one continues. */
export class PlanMemory {
  readonly #work: PlanWork
  readonly #onSaved: ResumeOptions<PlanWork>['onSaved']

  /** @throws LayerpruneError if what is resumed is of another plan */
  constructor(identity: Identity, { resumeFrom, onSaved }: ResumeOptions<PlanWork>) {
    if (resumeFrom !== undefined) assertSameWork(resumeFrom, identity)
    this.#work = resumeFrom ?? { identity, answers: {}, distances: {} }
    this.#onSaved = onSaved
  }

  /** An evaluator that does not measure again what is remembered. */
  remember(evaluator: Searched): Searched {
    const answers = new Answers(this.#work, () => this.#save())
    return {
      measure: rememberMeasured(evaluator, answers),
      compare: rememberCompared(evaluator, answers),
      scoreContinuations: rememberContinuations(evaluator, answers),
      ...(evaluator.measureErrors && {
        measureErrors: rememberErrors(evaluator.measureErrors.bind(evaluator), answers),
      }),
      close: () => evaluator.close(),
    }
  }

  measureDistances(options: SimilarityOptions): Promise<SimilarityResult> {
    return measureKeeping(options, this.#work.distances, () => this.#save())
  }

  /** For the check of blocks by perplexity. */
  get check(): ResumeOptions {
    return {
      resumeFrom: this.#work.check,
      onSaved: (work) => {
        this.#work.check = work
        return this.#save()
      },
    }
  }

  async #save(): Promise<void> {
    await this.#onSaved?.(this.#work)
  }
}

const NUMBER: Form<number> = { encode: (value) => (Number.isFinite(value) ? value : `${value}`), decode: Number }

function rememberErrors(
  measureErrors: NonNullable<Measuring['measureErrors']>,
  answers: Answers,
): NonNullable<Measuring['measureErrors']> {
  return (batch, removed, candidates) =>
    answers.find(
      ['errors', batch.map(({ ids }) => ids), nameCut(removed)],
      candidates.map(nameCut),
      NUMBER,
      (missing) =>
        measureErrors(
          batch,
          removed,
          missing.map((place) => candidates[place]!),
        ),
    )
}
