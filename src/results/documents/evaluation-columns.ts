import { formatDistance, formatEstimate, formatPerplexity, formatShare } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { countLayers } from '../../model/layers/count-layers.js'
import { formatRemoved } from '../../model/layers/names.js'
import type { CandidateFigures, EvaluationResult, Figures } from './evaluation-result.js'
import type { TableColumn } from './table-column.js'

/** A row of an evaluation's table: the whole model, a cut, or one of two models. */
export interface EvaluationRow extends Partial<Omit<CandidateFigures, 'removed' | 'perplexity'>> {
  /** Layers removed, or the model. */
  name: string
  removed: Block[]
  /** Null if it is not finite. */
  perplexity: number | null
  isLowest: boolean
}

/** The rows of an evaluation of a model and its cuts: the whole model, then the cuts as they were asked for. */
export function listEvaluationRows({
  perplexity,
  standardError,
  bitsPerByte,
  candidates,
}: EvaluationResult): EvaluationRow[] {
  const lowest = areOfOneSize(candidates)
    ? Math.min(...candidates.map(({ perplexity }) => perplexity ?? Infinity))
    : null
  const whole: Figures = { perplexity, standardError, bitsPerByte }
  return [
    { ...whole, name: formatRemoved([]), removed: [], isLowest: false },
    ...candidates.map((cut) => ({
      ...cut,
      name: formatRemoved(cut.removed),
      isLowest: cut.perplexity === lowest,
    })),
  ]
}

/** Whether cuts can be ordered by what they cost: of several sizes, the smallest would always be the best. */
export function areOfOneSize(cuts: { removed: Block[] }[]): boolean {
  return new Set(cuts.map(({ removed }) => countLayers(removed))).size === 1
}

/** The rows of a comparison of two models, the one that is compared with first. */
export function listPairRows(result: EvaluationResult): EvaluationRow[] {
  const { model, perplexity, standardError, bitsPerByte, against } = result
  const { kl, agreement, ...reference } = against!
  const common = { removed: [], isLowest: false }
  return [
    { ...common, name: reference.model.id, ...reference },
    { ...common, name: model.id, perplexity, standardError, bitsPerByte, kl, agreement },
  ]
}

/** The columns of an evaluation. Those that compare with the first row are there if it has a second one. */
export function listEvaluationColumns(result: EvaluationResult): TableColumn<EvaluationRow>[] {
  const { candidates, against } = result
  const isCompared = against !== undefined || candidates.length > 0
  const reference = (against ?? result).perplexity
  const whenCompared = (from: number) => (isCompared ? from : undefined)
  return [
    {
      ...{ title: against === undefined ? 'layers removed' : 'model', align: 'left', from: 0 },
      page: { title: 'removed' },
      cell: ({ name }) => name,
    },
    {
      ...{ title: 'perplexity', align: 'right', from: 0 },
      cell: ({ perplexity }) => (perplexity === null ? 'not finite' : formatPerplexity(perplexity)),
    },
    {
      ...{ title: '± std err', align: 'right', from: 56 },
      cell: ({ standardError }) => (isKnown(standardError) ? formatPerplexity(standardError) : ''),
    },
    { title: 'perplexity', align: 'right', page: {}, cell: formatFigure },
    {
      ...{ title: against === undefined ? '× whole' : '× first', align: 'right', page: {} },
      from: whenCompared(64),
      cell: ({ perplexity }) => (perplexity === null ? '' : formatPerplexity(perplexity / reference)),
    },
    {
      ...{ title: 'KL', align: 'right', from: whenCompared(72) },
      cell: ({ kl }) => (isKnown(kl) ? formatDistance(kl) : ''),
    },
    {
      ...{ title: 'agreement', align: 'right', from: whenCompared(80) },
      cell: ({ agreement }) => (agreement === undefined ? '' : formatShare(agreement)),
    },
    {
      ...{ title: 'bits/byte', align: 'right', from: 96, page: { title: 'bits per byte' } },
      cell: ({ bitsPerByte }) => (bitsPerByte === undefined ? '' : formatDistance(bitsPerByte)),
    },
    {
      ...{ title: 'nats lost per token', align: 'right', page: {} },
      cell: ({ excess }) => (excess === undefined ? '' : formatEstimate(excess.difference, excess.standardError)),
    },
    {
      ...{ title: '', align: 'left', from: candidates.length > 0 ? 0 : undefined },
      cell: ({ isLowest }) => (isLowest && candidates.length > 1 ? '<- lowest' : ''),
    },
  ]
}

/** `26.31 ± 0.42`. */
function formatFigure({ perplexity, standardError }: EvaluationRow): string {
  if (perplexity === null) return 'not finite'
  const text = formatPerplexity(perplexity)
  return isKnown(standardError) ? `${text} ± ${formatPerplexity(standardError)}` : text
}

function isKnown(value: number | null | undefined): value is number {
  return value !== null && value !== undefined
}
