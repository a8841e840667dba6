import { openDecoderPieces } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import { keptPieces, runPaths } from '../evaluate/evaluator.js'
import { type TallyOptions, tallyTexts } from '../evaluate/measure-texts.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'
import { countHeadShare } from '../similarity/run-rate.js'
import type { Replacement } from '../weights/replacement.js'
import type { RepairLayers } from './repair-layers.js'
import type { RepairFigures } from './repair-report.js'

/** A cut and its repair. */
export interface RepairedModel {
  model: Model
  /** The layers of the whole model. */
  layers: RepairLayers
  removed: Block[]
  /** Numbers of the layers that were changed, in the whole model. */
  changed: ReadonlySet<number>
  replacements: ReadonlyMap<string, Replacement>
}

export interface MeasureRepairOptions extends SessionOptions, Omit<TallyOptions, 'phase'> {
  signal?: AbortSignal | undefined
}

/**
 * Measures a model whole, cut, and cut with some of its weights replaced. Layers that they have in common from the
 * bottom up run once, and all that were not changed are loaded once.
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite
 */
export async function measureRepair(
  { model, layers, removed, changed, replacements }: RepairedModel,
  { threads, device, signal, ...tally }: MeasureRepairOptions,
): Promise<RepairFigures> {
  const { config, decoder } = model
  const { pieces, boundaries } = layers
  const repaired = await openDecoderPieces(replaceWeights(decoder, replacements), config, boundaries, {
    threads,
    device,
  })
  // a changed piece has the number of the piece that it stands for, and of all pieces on top
  const count = boundaries.length - 1
  const whole = keptPieces(boundaries, [])
  const cut = keptPieces(boundaries, normalizeBlocks(removed, config.layers))
  const paths = [whole, cut, cut.map((piece) => (changed.has(boundaries[piece]!) ? count + piece : piece))]
  const costs = {
    ofPiece: (piece: number) => boundaries[(piece % count) + 1]! - boundaries[piece % count]!,
    head: config.layers * countHeadShare(model),
  }
  const running = {
    embed: pieces.embed.bind(pieces),
    run: (...[piece, state, texts]: Parameters<typeof pieces.run>) =>
      piece < count ? pieces.run(piece, state, texts) : repaired.run(piece - count, state, texts),
  }
  try {
    const [ofWhole, ofCut, ofRepaired] = await tallyTexts(
      {
        candidates: paths.length,
        hasWhole: true,
        async measure(texts, onAdvance) {
          const score = (state: Parameters<typeof pieces.score>[0]) => pieces.score(state, texts)
          const scores = await runPaths({ pieces: running, score }, paths, {
            texts,
            costs,
            onAdvance,
            signal,
          })
          return scores.map((likelihoods) => likelihoods.map((value) => 0 - value))
        },
      },
      { ...tally, phase: { phase: 'perplexity, whole, cut and repaired' } },
    )
    return { whole: ofWhole, cut: ofCut, repaired: ofRepaired }
  } finally {
    await repaired.close()
  }
}
