import { estimateMean } from '../../base/statistics/paired-difference.js'
import { upperQuantile } from '../../base/statistics/student-t.js'
import type { Block } from '../../model/layers/block.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import type { Evaluator } from '../evaluate/evaluator.js'

export interface Measuring extends Pick<Evaluator, 'measure'> {
  /** How much further candidates leave the stream than a model without `removed`, by a measure cheap beside a run. */
  measureErrors?: (batch: ReadText[], removed: Block[], candidates: Block[][]) => Promise<number[]>
}

/** A candidate for removal. */
export interface Runner {
  layer: number
  /** Blocks that are removed with it. */
  removed: Block[]
  /** Loss of each text in nats, with this layer removed; NaN if not measured, Infinity if not finite. */
  losses: Float64Array
  /** The same when fewer other layers were removed, if it was measured then. */
  earlier: Float64Array | undefined
  /** For each text, what its layer added to the loss then, in nats; NaN if not measured. */
  added: Float64Array | undefined
  /** See `measureErrors`, if that is known. */
  error: number | undefined
}

export interface Round {
  batch: ReadText[]
  /** Number of the first of them among all texts. */
  first: number
}

export interface RaceState {
  round: Round
  /** Candidates that were measured; parts of one count. */
  measured: number
  /** Candidates that are measured in the round, as far as is known. */
  running: number
  leader: Runner | undefined
}

export interface RaceReport {
  advance(state: RaceState): void
  /** @param measured  candidates that were measured in the round, which is over */
  endRound(round: Round, measured: number): void
}

/** Candidates that are measured first when it is known how they did with fewer layers removed. */
const FIRST_WAVE = 4
/** Candidates that are always measured on all texts, unless they are significantly worse than the best. */
const FINALISTS = 3
/** Minimum texts before a candidate may be dropped. */
const LEAST_TEXTS = 4
/** Probability of dropping a candidate that is no worse, by Student's t over the texts. */
const ERROR_PROBABILITY = 0.01

/** Rounds of a batch each; the first is divided unless batches are fixed, since most candidates may be out after it. */
export function splitRounds(batches: ReadText[][], isFixed: boolean): Round[] {
  let first = 0
  return batches.flatMap((batch, index) => {
    const isDivided = index === 0 && !isFixed && batch.length >= 2 * LEAST_TEXTS
    const half = isDivided ? batch.length >> 1 : batch.length
    return [batch.slice(0, half), batch.slice(half)]
      .filter((texts) => texts.length > 0)
      .map((texts) => {
        first += texts.length
        return { batch: texts, first: first - texts.length }
      })
  })
}

/**
 * Runs candidates over rounds of texts; after each only some go on: the better half after a quarter of the texts, the
 * better quarter after half of them, and none that is significantly worse than the best. Of candidates of which something
 * is known beforehand, the better half run at all, and the better quarter if two things are known: what their layers added
 * to the loss with fewer layers removed, and the errors of their repairs. None runs that was worse then than the best is
 * now: to remove more does not make a model better.
 * @returns those that ran over all texts, the best first
 */
export async function race(
  evaluator: Measuring,
  rounds: Round[],
  runners: Runner[],
  report: RaceReport,
): Promise<Runner[]> {
  const texts = rounds.reduce((sum, { batch }) => sum + batch.length, 0)
  const known = countKnown(runners)
  const areTimed = runners.some(({ earlier }) => earlier !== undefined)
  let running = known > 0 ? takeKnown(runners, known) : runners
  for (const round of rounds) {
    const measured: Runner[] = []
    const waves = areTimed && round.first === 0 ? [running.slice(0, FIRST_WAVE), running.slice(FIRST_WAVE)] : [running]
    for (const wave of waves) {
      const leader = findLeader(round.first === 0 ? measured : running)
      const asked = wave.filter(({ earlier }) => !isWorse(earlier, findLeader(measured)?.losses))
      const count = { running: measured.length + asked.length, leader }
      await measureRound(evaluator, round, asked, (candidates) =>
        report.advance({ round, measured: measured.length + candidates, ...count }),
      )
      measured.push(...asked)
    }
    report.endRound(round, measured.length)
    const ranked = measured.sort((a, b) => compare(lossOf(a), lossOf(b)))
    const best = ranked[0]!
    running = ranked
      .slice(0, countRunning(runners.length, (round.first + round.batch.length) / texts, known))
      .filter((runner) => runner === best || !isWorse(runner.losses, best.losses))
  }
  return running
}

function countKnown(runners: Runner[]): number {
  const isKnown = [runners.some(({ added }) => added !== undefined), runners.some(({ error }) => error !== undefined)]
  return isKnown.filter(Boolean).length
}

/** How many candidates run at most after a share of the texts, if `known` things are known of them before. */
export function countRunning(candidates: number, done: number, known: number): number {
  const byTexts = done >= 1 / 2 ? 1 / 4 : done >= 1 / 4 ? 1 / 2 : 1
  const share = known > 1 ? byTexts / 2 : byTexts
  return Math.min(candidates, Math.max(FINALISTS, Math.ceil(candidates * Math.min(share, 2 ** -known))))
}

/** Sum over the texts measured so far, in nats. */
export function lossOf({ losses }: Runner): number {
  return losses.reduce((sum, value) => (Number.isNaN(value) ? sum : sum + value), 0)
}

/** @param onMeasured  called with how many of the candidates are measured; parts of one count */
async function measureRound(
  evaluator: Measuring,
  { batch, first }: Round,
  asked: Runner[],
  onMeasured: (candidates: number) => void,
): Promise<void> {
  if (asked.length === 0) return
  onMeasured(0)
  const scores = await evaluator.measure(
    batch,
    asked.map(({ removed }) => removed),
    ({ share }) => onMeasured(share * asked.length),
  )
  for (const [index, { losses }] of asked.entries()) {
    const finite = scores[index]!.map((value) => (Number.isFinite(value) ? value : Infinity))
    losses.set(finite, first)
  }
}

/** The best candidates by the values known, ordered by their mean rank. */
function takeKnown(runners: Runner[], known: number): Runner[] {
  const ranks = [rankBy(runners, ({ added }) => added && meanOf(added)), rankBy(runners, ({ error }) => error)]
  const rankOf = (runner: Runner) => {
    const own = ranks.flatMap((rank) => rank.get(runner) ?? [])
    return own.length === 0 ? Infinity : estimateMean(own).value
  }
  const ranked = runners.toSorted((a, b) => compare(rankOf(a), rankOf(b)))
  return ranked.slice(0, countRunning(runners.length, 0, known))
}

/** Ranks, from 0, of those of which a value is known. */
function rankBy(runners: Runner[], read: (runner: Runner) => number | undefined): Map<Runner, number> {
  const values = runners.flatMap((runner) => {
    const value = read(runner)
    return value === undefined ? [] : [{ runner, value }]
  })
  const ranked = values.sort((a, b) => compare(a.value, b.value))
  return new Map(ranked.map(({ runner }, rank) => [runner, rank]))
}

/** Over the texts that a candidate was measured on. */
function meanOf(values: Float64Array): number {
  return estimateMean(values.filter((value) => !Number.isNaN(value))).value
}

/** The best of those that were measured. */
function findLeader(runners: Runner[]): Runner | undefined {
  const [first] = runners
    .filter(({ losses }) => losses.some((value) => !Number.isNaN(value)))
    .sort((a, b) => compare(lossOf(a), lossOf(b)))
  return first
}

/** Whether losses are significantly above others on the texts that both have. */
function isWorse(losses: Float64Array | undefined, others: Float64Array | undefined): boolean {
  if (losses === undefined || others === undefined) return false
  const differences: number[] = []
  for (const [text, value] of losses.entries()) {
    if (!Number.isNaN(value) && Number.isFinite(others[text])) differences.push(value - others[text]!)
  }
  if (differences.includes(Infinity)) return true
  if (differences.length < LEAST_TEXTS) return false
  const { value, standardError } = estimateMean(differences)
  return value > upperQuantile(ERROR_PROBABILITY, differences.length - 1) * standardError!
}

/** Ascending; values that are not finite come last. */
function compare(a: number, b: number): number {
  return (Number.isFinite(a) ? a : Number.MAX_VALUE) - (Number.isFinite(b) ? b : Number.MAX_VALUE)
}
