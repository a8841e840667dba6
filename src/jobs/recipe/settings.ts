import { readTable } from '../../base/read-table.js'

/**
 * How a pruned model is healed (Gromov et al. 2024, arXiv 2403.17887, appendix A.1): QLoRA on the MLPs only, 5,000
 * steps of 16 sequences, cosine schedule with 100 steps of warm-up, alpha equal to the rank, dropout 0.05.
 */
export interface HealingSettings {
  steps: number
  /** Sequences per step, over all devices and accumulated gradients. */
  batchSize: number
  warmupSteps: number
  dropout: number
  rank: number
  /** Peak learning rate. */
  learningRate: number
  /** Tokens per sequence. */
  maxLength: number
  /** Sequences that a device takes at once; the rest of the batch is accumulated. Our choice: the paper names none. */
  microBatchSize: number
  /** The paper's model that rank and learning rate come from. */
  origin: string
}

const BILLION = 1e9

/**
 * Rank and peak learning rate of the paper's seven models (appendix A.1, second table); the first that fits counts.
 * Which other sizes and later families are like them is our choice. Ranks below 64 come from a sweep by accuracy on
 * MMLU after the deepest layers were removed (appendix B.3): on Mistral 7B a lower rank raised the loss on text.
 */
interface PaperModels {
  models: {
    /** Regular expression for the `model_type`. */
    family: string
    /** Billions of parameters: more than `over`, at most `upTo`. */
    over: number
    upTo: number
    rank: number
    learningRate: number
    name: string
  }[]
}

/** The paper takes sequences of 2,048 tokens up to 7B parameters and of 4,096 from 13B on; the exact boundary is our choice. */
const LONG_FROM = 10 * BILLION

/**
 * The paper's settings for a model, or those of most of its models if it has none of that family and size.
 * @param parameters  parameters of the model before it was pruned
 * @param maxPositions  longest text that the model takes; null if it has no limit
 */
export function chooseSettings(family: string, parameters: number, maxPositions: number | null): HealingSettings {
  const size = parameters / BILLION
  const { models } = readTable<PaperModels>('arxiv-2403.17887')
  const like = models.find(
    ({ family: known, over, upTo }) => new RegExp(known).test(family) && over < size && size <= upTo,
  )
  const longest = parameters < LONG_FROM ? 2048 : 4096
  return {
    steps: 5000,
    batchSize: 16,
    warmupSteps: 100,
    dropout: 0.05,
    rank: like?.rank ?? 64,
    learningRate: like?.learningRate ?? 3e-4,
    maxLength: Math.min(longest, maxPositions ?? longest),
    microBatchSize: parameters < BILLION ? 8 : parameters < LONG_FROM ? 2 : 1,
    origin: like === undefined ? 'most of its models' : `its ${like.name}`,
  }
}

/** Settings with other lengths; a short training warms up in a tenth of its steps. */
export function changeSettings(
  settings: HealingSettings,
  { steps, maxLength }: Pick<HealingSettings, 'steps' | 'maxLength'>,
): HealingSettings {
  const warmupSteps = Math.min(settings.warmupSteps, Math.ceil(steps / 10))
  return { ...settings, steps, maxLength, warmupSteps }
}

/** Where the numbers of a recipe come from, in lines for a comment. */
export function describeOrigin({ steps, batchSize, rank, learningRate, origin }: HealingSettings): string[] {
  return [
    'Heals a pruned model with the settings of "The Unreasonable Ineffectiveness of the Deeper Layers"',
    `(arXiv 2403.17887): QLoRA on the MLPs, ${steps} steps of ${batchSize} sequences, cosine schedule with warm-up;`,
    `rank ${rank} and learning rate ${learningRate} are those of ${origin}.`,
  ]
}
