import { digest } from '../../base/digest.js'
import type { ChosenCut } from '../../results/documents/sweep-result.js'
import type { TaskResult } from '../../results/documents/task-result.js'
import type { TextRecord } from '../../results/documents/text-uses.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { Compared, Evaluator } from '../evaluate/evaluator.js'
import { nameCut } from '../evaluate/remember.js'
import type { Identity } from '../run/identity.js'
import type { SavedWork } from '../run/saved-work.js'
import type { KeptDistances } from '../similarity/keep-distances.js'
import type { SavedDistances } from './last-token-distances.js'

/** Progress of a sweep. Numbers survive JSON to the last bit. */
export interface SweepProgress {
  /** The model, and all options that change numbers. */
  identity: Identity
  /** What strategies measure to choose; dropped once they have chosen. */
  choosing?: ChoosingProgress | undefined
  /** All cuts, in whichever shard, and the texts they were chosen on; undefined until all strategies have chosen. */
  chosen?: Chosen
  /** Scores of texts, by the digest of their tokens, then by the blocks removed. */
  texts: Record<string, Record<string, SavedText>>
  /** Results of the candidates of its shard; undefined until they are measured. */
  tasks?: Pick<TaskResult, 'tasks' | 'taskSettings' | 'candidates'>
  /** What is known of them meanwhile. */
  taskWork?: SavedWork | undefined
}

export interface Chosen {
  cuts: ChosenCut[]
  /** The texts that they were chosen on; undefined if no strategy measures any. */
  texts: TextRecord | undefined
}

export interface ChoosingProgress extends Pick<SavedWork, 'answers'> {
  distances: KeptDistances
  /** Angular distances at the last tokens, if the others are over all tokens. */
  last?: SavedDistances | undefined
}

/** null if not finite, which JSON cannot express. */
type SavedText = [nats: number | null, divergence: number | null, agreement: number | null]

type Comparing = Pick<Evaluator, 'compare' | 'close'>

/**
 * An evaluator that remembers what texts gave, and runs only those that it does not know.
 * @param label       tells evaluators apart that remember in one place
 * @param onMeasured  called after each batch that was run
 */
export function rememberTexts(
  evaluator: Comparing,
  remembered: SweepProgress['texts'],
  label: string,
  onMeasured: () => Promise<void>,
): Comparing {
  return {
    async compare(batch, candidates, onAdvance) {
      const known = batch.map(({ ids }) => {
        const key = digest([label, ids])
        remembered[key] ??= {}
        return remembered[key]
      })
      const names = [[], ...candidates].map(nameCut)
      const isKnown = (text: number) => names.every((name) => known[text]![name] !== undefined)
      const places = batch.flatMap((_, text) => (isKnown(text) ? [] : [text]))
      if (places.length > 0) {
        const compared = await evaluator.compare(
          places.map((text): EncodedText => batch[text]!),
          candidates,
          onAdvance,
        )
        for (const [row, text] of places.entries()) {
          for (const [index, name] of names.entries()) known[text]![name] = saveText(compared[index]!, row)
        }
        await onMeasured()
      }
      return names.map((name) => restoreTexts(known.map((text) => text[name]!)))
    },
    close: () => evaluator.close(),
  }
}

function saveText({ nats, divergences, agreements }: Compared, text: number): SavedText {
  const finite = (value: number) => (Number.isFinite(value) ? value : null)
  return [finite(nats[text]!), finite(divergences[text]!), finite(agreements[text]!)]
}

function restoreTexts(texts: SavedText[]): Compared {
  const numbers = (place: 0 | 1 | 2) => Float64Array.from(texts, (text) => text[place] ?? Infinity)
  return { nats: numbers(0), divergences: numbers(1), agreements: numbers(2) }
}
