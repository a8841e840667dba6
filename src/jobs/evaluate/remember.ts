import type { ContinuationScores } from '../../engine/sessions/continuations.js'
import type { Block } from '../../model/layers/block.js'
import { formatBlocks } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { type Answers, type Form, NUMBERS } from '../run/saved-work.js'
import type { Compared, Evaluator } from './evaluator.js'

/** The name of a cut among answers; blocks in the order given. */
export function nameCut(removed: Block[]): string {
  return removed.length === 0 ? 'none' : formatBlocks(removed)
}

/**
 * As `measure`, without running what is remembered. Each cut is remembered as soon as it is measured.
 * @param how  tells evaluators apart that are remembered in one place
 */
export function rememberMeasured(
  evaluator: Pick<Evaluator, 'measure'>,
  answers: Answers,
  how = 'measure',
): Evaluator['measure'] {
  return (batch, candidates, onAdvance) =>
    answers.find([how, idsOf(batch)], candidates.map(nameCut), NUMBERS, (missing, note) =>
      evaluator.measure(
        batch,
        missing.map((place) => candidates[place]!),
        onAdvance,
        (candidate, nats) => note(missing[candidate]!, nats),
      ),
    )
}

const COMPARED: Form<Compared> = {
  encode: ({ nats, divergences, agreements }) => [nats, divergences, agreements].map(NUMBERS.encode),
  decode: (saved: never[]) => {
    const [nats, divergences, agreements] = saved.map(NUMBERS.decode) as [Float64Array, Float64Array, Float64Array]
    return { nats, divergences, agreements }
  },
}

/** As `compare`, without running batches that are remembered. */
export function rememberCompared(evaluator: Pick<Evaluator, 'compare'>, answers: Answers): Evaluator['compare'] {
  return (batch, candidates, onAdvance) => {
    // a candidate without a cut may be another model than the first one
    const cuts = ['whole', ...candidates.map(nameCut)]
    return answers.find(['compare', idsOf(batch)], cuts, COMPARED, async (missing) => {
      const asked = missing.filter((place) => place > 0)
      const [whole, ...compared] = await evaluator.compare(
        batch,
        asked.map((place) => candidates[place - 1]!),
        onAdvance,
      )
      return missing.length > asked.length ? [whole!, ...compared] : compared
    })
  }
}

const CONTINUATIONS: Form<ContinuationScores> = {
  encode: ({ logLikelihoods, isTop }) => [NUMBERS.encode(logLikelihoods), isTop],
  decode: ([logLikelihoods, isTop]: [never, boolean[]]) => ({ logLikelihoods: NUMBERS.decode(logLikelihoods), isTop }),
}

/** As `scoreContinuations`, without running what is remembered. */
export function rememberContinuations(
  evaluator: Pick<Evaluator, 'scoreContinuations'>,
  answers: Answers,
): Evaluator['scoreContinuations'] {
  return (batch, continuations, candidates, onAdvance) =>
    answers.find(
      ['continuations', idsOf(batch), batch.map(({ tree }) => tree), continuations],
      candidates.map(nameCut),
      CONTINUATIONS,
      (missing, note) =>
        evaluator.scoreContinuations(
          batch,
          continuations,
          missing.map((place) => candidates[place]!),
          onAdvance,
          (candidate, scores) => note(missing[candidate]!, scores),
        ),
    )
}

function idsOf(batch: EncodedText[]): number[][] {
  return batch.map(({ ids }) => ids)
}
