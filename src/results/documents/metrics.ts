import { UsageError } from '../../base/errors.js'

/** Ways to compare two states at a token; for all of them, smaller means closer. */
export const METRICS = ['angular', 'cosine', 'block-influence', 'relative-magnitude', 'euclidean'] as const

export type Metric = (typeof METRICS)[number]

interface MetricWords {
  /** Its name in sentences. */
  title: string
  /** What a block of a large value does to the residual stream. */
  verb: 'rotates' | 'changes'
  /** Largest value it can have. */
  limit: number
  definition: string
}

const WORDS: Record<Metric, MetricWords> = {
  angular: {
    title: 'angular distance',
    verb: 'rotates',
    limit: 1,
    definition:
      'that of Gromov et al. 2024 (arXiv 2403.17887), 0 if the residual stream keeps its direction and\n0.5 if it ends at a right angle',
  },
  cosine: {
    title: 'cosine distance',
    verb: 'rotates',
    limit: 2,
    definition: 'one minus the cosine similarity of LLM-Streamline (arXiv 2403.19135)',
  },
  'block-influence': {
    title: 'block influence',
    verb: 'rotates',
    limit: 2,
    definition: 'that of ShortGPT (arXiv 2403.03853), one minus the cosine',
  },
  'relative-magnitude': {
    title: 'relative magnitude',
    verb: 'changes',
    limit: Number.POSITIVE_INFINITY,
    definition:
      'that of Samragh et al. 2023 (arXiv 2312.09299), the length of what the block adds divided by that of its output',
  },
  euclidean: {
    title: 'Euclidean distance',
    verb: 'changes',
    limit: Number.POSITIVE_INFINITY,
    definition: 'the length of what the block adds, not normalised',
  },
}

/** The words for a metric, and how large it can be. */
export function describeMetric(metric: Metric): MetricWords {
  return WORDS[metric]
}

function isMetric(name: unknown): name is Metric {
  return METRICS.some((metric) => metric === name)
}

/** @throws UsageError if one is unknown or repeated, or there is none */
export function assertMetrics(names: string[]): asserts names is Metric[] {
  const choice = `${METRICS.slice(0, -1).join(', ')} or ${METRICS.at(-1)}`
  if (names.length === 0) throw new UsageError(`metrics must name ${choice}, found none`)
  const unknown = names.find((name) => !isMetric(name))
  if (unknown !== undefined) throw new UsageError(`metric must be ${choice}, found ${unknown || 'nothing'}`)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`metric ${twice} is named more than once`)
}

/** The metrics of a result, the one that decides first. */
export function listMetrics({
  metric,
  metrics,
}: {
  metric: Metric
  metrics?: Partial<Record<Metric, unknown>> | undefined
}): Metric[] {
  return [metric, ...(Object.keys(metrics ?? {}) as Metric[])]
}
