import { digest } from '../../base/digest.js'
import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { VERSION } from '../../base/version.js'
import { findDifference, type Identity } from './identity.js'

/** What a long job has found out so far. Numbers survive JSON to the last bit. */
export interface SavedWork {
  /** The model, and all options, by the name that messages call them by. */
  identity: Identity
  /** Answers by the digest of what was asked, then by the cut that it was asked of. */
  answers: Record<string, Record<string, unknown>>
}

export interface ResumeOptions<Work = SavedWork> {
  /** What a stopped run of the same job had found out. */
  resumeFrom?: Work | undefined
  /** Called and awaited after each part of the work with all that is needed to continue from there. */
  onSaved?: ((work: Work) => Promise<void> | void) | undefined
}

/** Options that change no answer: texts that are left out change which are asked for. */
const UNNAMED = ['signal', 'resumeFrom', 'leaveOut']

/**
 * Identifies a job by its model and options; functions and what is resumed do not count.
 * @param fingerprint  the model's
 */
export function identifyWork(fingerprint: string, options: object): Identity {
  const named = Object.entries(options).filter(
    ([name, value]) => value !== undefined && typeof value !== 'function' && !UNNAMED.includes(name),
  )
  return {
    'the version of layerprune': VERSION,
    'the model': fingerprint.slice(0, 12),
    ...Object.fromEntries(
      named.map(([name, value]) => [nameOption(name), typeof value === 'object' ? JSON.stringify(value) : `${value}`]),
    ),
  }
}

/** @throws LayerpruneError if what was saved is of a job of another model or other options, naming the first difference */
export function assertSameWork({ identity }: Pick<SavedWork, 'identity'>, current: Identity): void {
  const difference = findDifference(identity, current)
  if (difference === undefined) return
  const { name, first, second } = difference
  throw new LayerpruneError(`the run cannot be resumed: ${name} was ${first} and is ${second}`, {
    hint: 'use what the stopped run used, or start again without `resumeFrom`',
  })
}

/** How an answer is kept as JSON. */
export interface Form<Answer> {
  encode: (answer: Answer) => unknown
  decode: (saved: never) => Answer
}

/** Numbers, also those that JSON does not have. */
export const NUMBERS: Form<Float64Array> = {
  encode: (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : `${value}`)),
  decode: (saved: (number | string)[]) => Float64Array.from(saved, Number),
}

/** Remembers what parts of a long job gave, so that a run that is resumed does not ask again. */
export class Answers {
  readonly #answers: SavedWork['answers']
  readonly #onSaved: () => Promise<void> | void

  /**
   * @param work     gets the answers
   * @param onSaved  called and awaited after each of them
   */
  constructor({ answers }: Pick<SavedWork, 'answers'>, onSaved: () => Promise<void> | void) {
    this.#answers = answers
    this.#onSaved = onSaved
  }

  /**
   * Undefined if nothing is to be remembered.
   * @throws LayerpruneError if what is resumed is of another job
   */
  static openIfKept(identify: () => Identity, { resumeFrom, onSaved }: ResumeOptions): Answers | undefined {
    if (resumeFrom === undefined && onSaved === undefined) return undefined
    const identity = identify()
    if (resumeFrom !== undefined) assertSameWork(resumeFrom, identity)
    const work = resumeFrom ?? { identity, answers: {} }
    return new Answers(work, () => onSaved?.(work))
  }

  /**
   * The answers of several cuts to one question.
   * @param ask  answers for those of which none is known, by their places; it may note some of them before its end
   * @returns in the order of the cuts
   */
  async find<Answer>(
    question: unknown,
    cuts: string[],
    { encode, decode }: Form<Answer>,
    ask: (missing: number[], note: (place: number, answer: Answer) => Promise<void>) => Promise<Answer[]>,
  ): Promise<Answer[]> {
    const key = digest(question)
    this.#answers[key] ??= {}
    const known = this.#answers[key]
    const missing = cuts.flatMap((cut, place) => (Object.hasOwn(known, cut) ? [] : [place]))
    if (missing.length > 0) {
      const found = await ask(missing, async (place, answer) => {
        known[cuts[place]!] = encode(answer)
        await this.#onSaved()
      })
      for (const [index, place] of missing.entries()) known[cuts[place]!] = encode(found[index]!)
      await this.#onSaved()
    }
    return cuts.map((cut) => decode(known[cut] as never))
  }
}
