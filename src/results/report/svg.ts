import { cleanLines } from '../../base/clean-text.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { describeTokens } from '../../texts/tokens/token-selection.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import type { SimilarityResult } from '../documents/similarity-result.js'

const FONT = `font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12"`

/** Colours of paper, text, text of less weight and grid, of the light and the dark scheme. */
export const INK = {
  light: { paper: '#ffffff', ink: '#1f2328', quiet: '#59636e', grid: '#d8dee4' },
  dark: { paper: '#0d1117', ink: '#e6edf3', quiet: '#9198a1', grid: '#30363d' },
}

export type Ink = (typeof INK)['light']

// Okabe and Ito's colours, which are distinct with any colour vision. Plain rules, no CSS variables: viewers that do not
// know these would draw black. Classes are prefixed because plots are also set into HTML pages.
/** Colours of measured values and of the best one. */
export const MARKS = {
  light: { curve: '#0072b2', best: '#d55e00' },
  dark: { curve: '#56b4e9', best: '#e69f00' },
}

export type CurveColors = (typeof MARKS)['light']

/** Classes that every plot has. */
function inkRules({ paper, ink, quiet, grid }: Ink): string {
  return [
    `.lp-paper{fill:${paper}}`,
    `.lp-ink{fill:${ink}}`,
    `.lp-quiet{fill:${quiet}}`,
    `.lp-grid{stroke:${grid}}`,
  ].join('')
}

export type Scheme = 'light' | 'dark'

interface SvgFrame {
  width: number
  height: number | string
  /** For screen readers. */
  described: string
  /** Classes of the plot's own, beside those of paper, text and grid; none if omitted. */
  rulesOf?: (scheme: Scheme) => string
  /** Above the plot; none if omitted. */
  heading?: SvgHeading | undefined
}

interface SvgHeading {
  title: string
  /** To the right of the title; an important one is as dark as the title. */
  note?: { text: string; isImportant?: boolean } | undefined
  /** Lines below the title. */
  origin: string[]
}

/** A whole SVG around what is drawn: size, font, colours of the light and the dark scheme, and heading. */
export function svgFrame({ width, height, described, rulesOf, heading }: SvgFrame, drawn: string[]): string {
  const rules = (scheme: Scheme) => inkRules(INK[scheme]) + (rulesOf?.(scheme) ?? '')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
      ` role="img" ${FONT}>`,
    `<title>${escapeXml(described)}</title>`,
    `<style>${rules('light')}@media (prefers-color-scheme:dark){${rules('dark')}}</style>`,
    `<rect class="lp-paper" width="${width}" height="${height}"/>`,
    ...(heading ? drawHeading(heading, width) : []),
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

function drawHeading({ title, note, origin }: SvgHeading, width: number): string[] {
  const [ink, weight] = note?.isImportant ? ['lp-ink', ' font-weight="600"'] : ['lp-quiet', '']
  return [
    `<text class="lp-ink" x="20" y="28" font-size="16" font-weight="600">${escapeXml(title)}</text>`,
    ...(note
      ? [`<text class="${ink}" x="${width - 24}" y="28" text-anchor="end"${weight}>${escapeXml(note.text)}</text>`]
      : []),
    ...origin.map((text, i) => `<text class="lp-quiet" x="20" y="${48 + 17 * i}">${escapeXml(text)}</text>`),
  ]
}

/** Two caption lines: the model, then the texts. */
export function describeOrigin({
  model,
  dataset,
  tokens,
  partial,
}: Pick<SimilarityResult, 'model' | 'dataset' | 'tokens' | 'partial'>): [model: string, dataset: string] {
  const measured = [
    formatQuantity(dataset.samples, 'text'),
    tokens === 'all' ? `all ${formatQuantity(dataset.tokens, 'token')}` : `${describeTokens(tokens)} of each`,
  ].join(', ')
  return [describeDrawn(model), `${partial ? 'PARTIAL, interrupted: ' : ''}${shorten(dataset.id, 50)}: ${measured}`]
}

/** The model, and the texts that were scored: two caption lines. */
export function describeScored({
  model,
  dataset,
}: {
  model: EvaluationResult['model']
  dataset: EvaluationResult['dataset']
}): [model: string, dataset: string] {
  const { id, texts, scoredTokens } = dataset
  return [
    describeDrawn(model),
    `${shorten(id, 50)}: ${formatQuantity(texts, 'text')}, ${formatQuantity(scoredTokens, 'token')} scored`,
  ]
}

/** Truncates at the start; the end of a name is the informative part. */
export function shorten(name: string, length: number): string {
  const letters = [...name]
  return letters.length <= length ? name : `…${letters.slice(1 - length).join('')}`
}

/** A length in pixels to a tenth. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}

/** Text for XML and HTML, in elements and in quoted attributes. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  // XML has no way to write most control characters
  return cleanLines(text).replace(/[&<>"]/g, (letter) => entities[letter]!)
}

/** The model that a picture is of: `SmolLM2-135M (30 layers, fp32)`. */
export function describeDrawn({ id, layers, dtype }: { id: string; layers: number; dtype: string }): string {
  return `${shorten(id, 70)} (${formatQuantity(layers, 'layer')}, ${dtype})`
}

/** Standard errors either side that hold the mean in 19 of 20 samples. */
export const BAND = 1.96
