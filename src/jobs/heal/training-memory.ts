import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity, formatSize } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import { countCastBytes, type LoadedWeight, listLoadedWeights } from '../../engine/sessions/loaded-weights.js'
import { PROGRAM_BYTES, SESSION_BYTES } from '../../engine/sessions/memory-figures.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { type BatchSize, countKeptNumbers } from '../../model/gradient/kept-values.js'
import { CHUNKS, type Teacher } from '../../model/gradient/loss.js'
import { takeLossGraph, takeScoreGraph } from '../../model/gradient/training-graph.js'
import { type DecoderGraph, findLogitSize } from '../../model/graph/decoder-graph.js'
import { takeSegment } from '../../model/graph/segment.js'
import type { TrainedForm } from './trained-form.js'

/** Tensors as large as the logits of a chunk that are held at once, with a teacher and without. */
const LOGITS_OF_TWO = 6
const LOGITS_OF_ONE = 2

/** Values of each trained number: its weight now and at its best, its gradient twice, and AdamW's two means. */
const TRAINED_COPIES = 6

/** Ratio of memory in use to memory held if sessions run in turn. */
const FRAGMENTATION = 1.15

/** The memory of a process that trains, in bytes, by the number of layers whose values are held at once. */
export type TrainingMemory = (layersAtOnce: number) => number

/** Estimates the memory of a training on the CPU to within about a quarter, from figures of real runs. */
export function estimateTraining(
  { decoder, trained, start }: Pick<TrainedForm, 'decoder' | 'trained' | 'start'>,
  { hiddenSize, layers }: ModelConfig,
  batch: BatchSize,
  teacher: Teacher | undefined,
): TrainingMemory {
  const graphOptions = { trained: trained.map(({ name }) => name), hiddenSize, teacher }
  const whole = takeLossGraph(decoder, graphOptions)
  const ofWhole = listLoadedWeights(whole)
  const perRun = { ...decoder, castsPerRun: true }
  const ofRuns = listLoadedWeights(takeLossGraph(perRun, graphOptions))
  const ofLayers = listLoadedWeights(takeSegment(perRun, { to: layers }))
  const keptBytes = 4 * countKeptNumbers(whole.model.graph, batch)
  const ofScore = listLoadedWeights(takeScoreGraph(perRun, hiddenSize))
  const scoreBytes = countCastBytes(ofScore) + countLogitBytes(decoder, batch, undefined)
  const logitBytes = countLogitBytes(decoder, batch, teacher)
  const trainedBytes = TRAINED_COPIES * [...start.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
  const fixedBytes = 2 * SESSION_BYTES + sumBytes(ofScore) + trainedBytes
  return (layersAtOnce) => {
    const runs = Math.ceil(layers / layersAtOnce)
    if (runs === 1) {
      const stepBytes = sumBytes(ofWhole) + countCastBytes(ofWhole) + logitBytes + keptBytes
      // what measures on held-out texts runs while the memory of a step is kept
      return PROGRAM_BYTES + fixedBytes + stepBytes + scoreBytes
    }
    // all runs but the last load weights twice: to compute states, and again to go back
    const mappedBytes = sumBytes(ofRuns) + ((runs - 1) / runs) * sumBytes(ofLayers)
    const stateBytes = 2 * (runs - 1) * 4 * batch.texts * batch.tokens * hiddenSize
    const runBytes = Math.max(countCastBytes(ofRuns) + logitBytes + keptBytes / runs, scoreBytes)
    return PROGRAM_BYTES + FRAGMENTATION * (fixedBytes + mappedBytes + stateBytes + runBytes)
  }
}

function countLogitBytes(decoder: DecoderGraph, { texts, tokens }: BatchSize, teacher: Teacher | undefined): number {
  const vocabulary = Number(findLogitSize(decoder))
  const copies = teacher === undefined ? LOGITS_OF_ONE : LOGITS_OF_TWO
  return (4 * copies * vocabulary * texts * tokens) / CHUNKS
}

function sumBytes(weights: LoadedWeight[]): number {
  return weights.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The most layers whose values fit within a limit; throws LayerpruneError if one is too much. */
export function fitLayers(
  memory: TrainingMemory,
  layers: number,
  maxMemory: number,
  { texts, tokens }: BatchSize,
): number {
  const counts = Array.from({ length: layers }, (_, index) => Math.ceil(layers / (index + 1)))
  const fitting = counts.find((count) => memory(count) <= maxMemory)
  if (fitting !== undefined) return fitting
  const least = `${Math.ceil(Math.min(...counts.map(memory)) / 1e6)}MB`
  throw new LayerpruneError(
    `${formatSize(maxMemory)} of memory is too little: to train this model on ${formatQuantity(texts, 'sequence')} of ${formatQuantity(tokens, 'token')} at once takes about ${least}`,
    {
      hint: `${nameOption('maxMemory', least)}, a smaller ${nameOption('microBatchSize')} or ${nameOption('maxLength')}, or ${nameOption('dtype', 'bf16')}`,
    },
  )
}
