import { cleanLines } from '../../base/clean-text.js'

// util.styleText is not in every Node 20 and only its later releases heed the stream and NO_COLOR, so the few
// codes we need are here.
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export type Style = keyof typeof CODES

const RGB = '[34]8;2;\\d{1,3};\\d{1,3};\\d{1,3}'
const STYLE = new RegExp(`(\u001b\\[(?:${Object.values(CODES).flat().join('|')}|49|${RGB})m)`)

/** Whether a stream may get color: FORCE_COLOR (0 or false: no), else NO_COLOR, else a terminal not `dumb`. */
export function wantsColor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM: terminal } = env
  if (force !== undefined) return force !== '0' && force !== 'false'
  if (none) return false
  return stream.isTTY === true && terminal !== 'dumb'
}

/** Whether a terminal that may have colour has 16 million of them. */
export function hasTruecolor({ FORCE_COLOR, COLORTERM }: NodeJS.ProcessEnv = process.env): boolean {
  return FORCE_COLOR === '3' || COLORTERM === 'truecolor' || COLORTERM === '24bit'
}

/** Text in `#rrggbb` colors, for a terminal with truecolor; on the terminal's background if `paper` is omitted. */
export function paintRgb(text: string, ink: string, paper?: string): string {
  const ground = paper === undefined ? '' : `\u001b[48;2;${readRgb(paper)}m`
  return `${ground}\u001b[38;2;${readRgb(ink)}m${text}\u001b[39m${paper === undefined ? '' : '\u001b[49m'}`
}

function readRgb(color: string): string {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)).join(';')
}

export function paint(style: Style, text: string, color: boolean): string {
  const [open, close] = CODES[style]
  return color ? `\u001b[${open}m${text}\u001b[${close}m` : text
}

/** As `cleanLines`, but for the styles of `paint` and `paintRgb`. */
export function cleanPainted(text: string): string {
  return text
    .split(STYLE)
    .map((part, index) => (index % 2 === 1 ? part : cleanLines(part)))
    .join('')
}
