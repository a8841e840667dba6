import type { Difference } from '../../base/statistics/text-statistics.js'
import type { Block } from '../../model/layers/block.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'
import type { RunRecord } from './run-record.js'
import type { SCHEMAS } from './schemas.js'
import type { SimilarityResult } from './similarity-result.js'
import type { TaskCandidate, TaskResult } from './task-result.js'
import type { TextRecord } from './text-uses.js'

/** How well a model, whole or cut, predicts the texts of a run. */
export interface Figures {
  /** The exponential of the mean negative log-likelihood of a scored token. */
  perplexity: number
  /** Standard error of the perplexity, over texts; null if only one text was measured. */
  standardError: number | null
  /** Negative log-likelihood of the scored tokens in bits, divided by the bytes of text that they cover. */
  bitsPerByte: number
}

/** A model with blocks of layers removed, by what it predicts of the texts. */
export interface CutFigures extends Figures {
  removed: Block[]
  /** By how much a scored token is less likely than in the whole model, in nats, over the same texts. */
  excess: Difference
}

/** The same, and how near its predictions come to the whole model's. */
export interface CandidateFigures extends CutFigures {
  /** KL(whole || cut) of next-token distributions, in nats per scored token; null if it is not finite. */
  kl: number | null
  /** Share of the scored tokens at which the most probable next token is the whole model's. */
  agreement: number
}

/** Another model on the same texts, and how far the evaluated model's predictions are from its. */
export interface AgainstFigures extends Figures {
  model: SimilarityResult['model']
  /** By how much a scored token is less likely in the evaluated model than in this one, in nats. */
  excess: Difference
  /** KL(this model || evaluated model), in nats per scored token; null if it is not a finite number. */
  kl: number | null
  /** Share of the scored tokens at which both have the same most probable next token. */
  agreement: number
}

/** A candidate whose perplexity is not a finite number, for example because half precision overflows. */
export interface FailedCandidate {
  removed: Block[]
  perplexity: null
}

export interface TextFigures {
  scoredTokens: number
  /** UTF-8 bytes of the text that the scored tokens cover. */
  scoredBytes: number
  /**
   * For the whole model, then for each candidate, over the scored tokens of the text: negative log-likelihood and
   * KL(whole || candidate) in nats, and how often the most probable next token is the whole model's. Null is not finite.
   */
  scores: [nats: number | null, divergence: number | null, agreement: number | null][]
}

/** Which part of an evaluation this is, and what `merge` makes the whole of: every Nth batch from the ith on. */
export interface EvaluationShard extends Shard {
  /** Digest of the tokens of all texts in order, whichever shard they belong to. */
  textsFingerprint: string
  /** The texts of each batch. */
  batches: TextFigures[][]
}

/** What `evaluate --json` prints. Keys may be added, none changes meaning. */
export interface EvaluationResult extends Figures {
  schema: typeof SCHEMAS.evaluation
  model: SimilarityResult['model']
  dataset: Omit<SimilarityResult['dataset'], 'samples' | 'fingerprint'> & {
    /** Texts skipped before the first that was read. */
    skippedTexts: number
    /** Texts left out because the model was chosen, repaired or trained on them; omitted if there are none. */
    leftOut?: number
    /** Texts measured; those of a single token are not. */
    texts: number
    scoredTokens: number
    /** UTF-8 bytes of the text that the scored tokens cover. */
    scoredBytes: number
  }
  settings: {
    maxLength: number
    batchSize: number
    /** Each text is scored once and independently, from its start: without a stride, and without context before it. */
    scored: 'every token but the first of each text'
    datasetSize?: number
    datasetSkip?: number
    shuffle?: number
  }
  /** In the order in which they were asked for; the figures above are the whole model's. */
  candidates: ((CandidateFigures | FailedCandidate) & Partial<TaskCandidate>)[]
  /** Texts that the layers were chosen on, as the plans of the candidates say; omitted if none says so. */
  chosenOn?: TextRecord[]
  /** What `--task` measured, of the whole model. */
  tasks?: TaskResult['tasks']
  taskSettings?: TaskResult['taskSettings']
  /** The model that this one is compared with; only with `--against`. */
  against?: AgainstFigures
  /** Omitted if it is all; the figures above are then of the texts of the shard. */
  shard?: EvaluationShard
  /** What made it; omitted by the library, which writes no file. */
  run?: RunRecord | undefined
  layerpruneVersion: string
}
