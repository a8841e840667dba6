import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { UsageError } from '../../base/errors.js'
import type { Metric } from '../documents/metrics.js'
import { resizeResult, selectMetric } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { drawDistanceCurve } from './curve-svg.js'
import { drawHeatMap, type HeatScale } from './heatmap-svg.js'

export type PlotKind = 'curve' | 'heatmap'

/** Pixels of a PNG per pixel of its SVG. */
const PNG_SCALE = 2
/** Dots per inch at which sharp draws a pixel of an SVG as one. */
const PLAIN_DPI = 72

export interface DrawnOptions {
  kind: PlotKind
  /** For a heat map: 'row' gives each row its own colours, which is the default. */
  scale?: HeatScale | undefined
  /** If omitted, the metric that ranked. */
  metric?: Metric | undefined
  /** Size of the blocks; that of the run if omitted. */
  layersToSkip?: number | undefined
}

/**
 * A plot of a result in the format of the file's name, svg or png.
 * @throws UsageError for any other ending, or a metric or size that the result does not have
 */
export function drawPlot(
  saved: SimilarityResult,
  path: string,
  { kind, scale, metric = saved.metric, layersToSkip = saved.layersToSkip }: DrawnOptions,
): Promise<string | Uint8Array> {
  const result = resizeResult(selectMetric(saved, metric), layersToSkip)
  const svg = kind === 'curve' ? drawDistanceCurve(result) : drawHeatMap(result, { scale: scale ?? 'row' })
  return convertPlot(svg, path)
}

/** An SVG in the format of the file's name; a PNG has light colors and twice the pixels. Throws for other endings. */
export async function convertPlot(svg: string, path: string): Promise<string | Uint8Array> {
  if (assertPlotFile(path) === '.svg') return svg
  const { default: sharp } = await import('sharp')
  await addFonts()
  return sharp(Buffer.from(svg), { density: PLAIN_DPI * PNG_SCALE })
    .png()
    .toBuffer()
}

/** @throws UsageError if the name ends in neither .svg nor .png */
export function assertPlotFile(path: string): '.svg' | '.png' {
  const ending = extname(path).toLowerCase()
  if (ending === '.svg' || ending === '.png') return ending
  throw new UsageError(`${path} is not a plot file: expected a name that ends in .svg or .png`)
}

const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']
let added: Promise<void> | undefined

/** Adds this package's fonts to sharp's: without any, as in a container, every letter is a box. */
function addFonts(): Promise<void> {
  const { resolve } = createRequire(import.meta.url)
  added ??= import('sharp').then(async ({ default: sharp }) => {
    for (const name of FONTS) {
      const fontfile = resolve(`dejavu-fonts-ttf/ttf/${name}`)
      await sharp({ text: { text: 'a', font: 'DejaVu Sans', fontfile } })
        .png()
        .toBuffer()
    }
  })
  return added
}
