import type { Model } from '../../engine/model.js'
import { type DecoderPieces, openDecoderPieces, type State } from '../../engine/sessions/decoder-pieces.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import type { Block } from '../../model/layers/block.js'
import { includesLayer } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { type TallyOptions, tallyTexts } from '../evaluate/measure-texts.js'
import { countHeadShare } from '../run/run-rate.js'
import type { RepairLayers } from './repair-layers.js'
import type { RepairFigures } from './repair-report.js'
import type { Kept, TensorStore } from './tensor-store.js'

export interface RepairedModel {
  model: Model
  /** The layers of the whole model. */
  layers: RepairLayers
  removed: Block[]
  /** Numbers of the layers that were changed, in the whole model. */
  changed: ReadonlySet<number>
  replacements: ReadonlyMap<string, Replacement>
}

export interface MeasureRepairOptions extends PlacedOptions, Omit<TallyOptions, 'phase'> {
  store: TensorStore
  signal?: AbortSignal | undefined
}

const PHASE = { phase: 'perplexity, whole, cut and repaired' }

/**
 * Measures a model whole, cut, and cut with some of its weights replaced. Layers that they have in common from the
 * bottom up run once, all that were not changed are loaded once, and each runs on all texts before the next one does.
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite
 */
export async function measureRepair(
  repair: RepairedModel,
  { threads, device, apart, ...options }: MeasureRepairOptions,
): Promise<RepairFigures> {
  const { model, layers, replacements } = repair
  const { batches, countBytes } = options
  const decoder = replaceWeights(model.decoder, replacements)
  const changed = await openDecoderPieces(decoder, model.config, layers.boundaries, { threads, device, apart })
  try {
    const scores = await new PathRunner(repair, changed, options).run()
    const [whole, cut, repaired] = await tallyTexts(
      {
        candidates: scores.length,
        hasWhole: true,
        measure: async (batch) => scores.map((ofPath) => ofPath[batches.indexOf(batch)]!),
      },
      { batches, countBytes, phase: PHASE },
    )
    return { whole, cut, repaired }
  } finally {
    await changed.close()
  }
}

type Step = 'omits' | 'runs' | 'runs changed'

/** Models that are the same so far, and their state, by batch. */
interface SameSoFar {
  paths: Step[][]
  states: Kept[]
}

/** Runs all texts through the pieces, each along all models before the next one. */
class PathRunner {
  readonly #layers: RepairLayers
  readonly #changed: DecoderPieces
  readonly #options: Omit<MeasureRepairOptions, keyof PlacedOptions>
  readonly #paths: Step[][]
  readonly #headCost: number
  #done = 0
  readonly #total: number

  constructor(
    { model, layers, removed, changed: changedLayers }: RepairedModel,
    changed: DecoderPieces,
    options: Omit<MeasureRepairOptions, keyof PlacedOptions>,
  ) {
    this.#layers = layers
    this.#changed = changed
    this.#options = options
    const starts = layers.boundaries.slice(0, -1)
    const cut = starts.map((start): Step => (includesLayer(removed, start) ? 'omits' : 'runs'))
    const repaired = cut.map((step, piece) => (changedLayers.has(starts[piece]!) ? 'runs changed' : step))
    this.#paths = [starts.map(() => 'runs' as const), cut, repaired]
    this.#headCost = model.config.layers * countHeadShare(model)
    this.#total = options.batches.length * (this.#countLayers() + this.#paths.length * this.#headCost)
  }

  /** @returns for each model, by batch, the negative log-likelihood of each text in nats */
  async run(): Promise<Float64Array[][]> {
    const { pieces, boundaries } = this.#layers
    this.#report(0)
    const states = await this.#eachBatch((texts) => pieces.embed(texts))
    let groups: SameSoFar[] = [{ paths: this.#paths, states }]
    for (let piece = 0; piece < boundaries.length - 1; piece++) groups = await this.#advance(groups, piece)
    const scores = new Map<Step[], Float64Array[]>()
    for (const { paths, states } of groups) {
      const ofGroup: Float64Array[] = []
      for (const [batch, texts] of this.#options.batches.entries()) {
        const likelihoods = await pieces.score((await states[batch]!.read()) as State, texts)
        this.#report(this.#headCost * paths.length)
        ofGroup.push(likelihoods.map((value) => 0 - value))
      }
      for (const path of paths) scores.set(path, ofGroup)
      for (const state of states) state.free()
    }
    return this.#paths.map((path) => scores.get(path)!)
  }

  async #advance(groups: SameSoFar[], piece: number): Promise<SameSoFar[]> {
    const next: SameSoFar[] = []
    for (const { paths, states } of groups) {
      const steps = new Set(paths.map((path) => path[piece]!))
      for (const step of steps) {
        const same = paths.filter((path) => path[piece] === step)
        next.push({ paths: same, states: step === 'omits' ? states : await this.#run(piece, step, states) })
      }
      if (!steps.has('omits')) for (const state of states) state.free()
    }
    return next
  }

  #run(piece: number, step: Step, states: Kept[]): Promise<Kept[]> {
    const running = step === 'runs' ? this.#layers.pieces : this.#changed
    return this.#eachBatch(async (texts, batch) => {
      const state = await running.run(piece, (await states[batch]!.read()) as State, texts)
      this.#report(this.#layersOf(piece))
      return state
    })
  }

  async #eachBatch(run: (texts: EncodedText[], batch: number) => Promise<State>): Promise<Kept[]> {
    const { batches, store, signal } = this.#options
    const kept: Kept[] = []
    for (const [batch, texts] of batches.entries()) {
      signal?.throwIfAborted()
      kept.push(await store.keep(await run(texts, batch)))
    }
    return kept
  }

  #layersOf(piece: number): number {
    const { boundaries } = this.#layers
    return boundaries[piece + 1]! - boundaries[piece]!
  }

  /** That run on each batch. */
  #countLayers(): number {
    const runs = new Set<string>()
    let layers = 0
    for (const path of this.#paths) {
      for (const piece of path.keys()) {
        const way = path.slice(0, piece + 1).join()
        if (path[piece] !== 'omits' && !runs.has(way)) layers += this.#layersOf(piece)
        runs.add(way)
      }
    }
    return layers
  }

  #report(cost: number): void {
    this.#done += cost
    const total = this.#options.batches.flat().length
    // sums of parts are not exact
    const share = Math.min(1, this.#done / this.#total)
    this.#options.onProgress?.({ ...PHASE, done: share * total, total, unit: 'text', share })
  }
}
