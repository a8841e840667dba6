import { cleanLines } from '../clean-text.js'

// util.styleText is not in every Node 20 and only its later releases heed the stream and NO_COLOR, so the few
// codes we need are here.
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export type Style = keyof typeof CODES

const STYLE = new RegExp(`(\u001b\\[(?:${Object.values(CODES).flat().join('|')})m)`)

/**
 * Whether text for a stream may carry colour: FORCE_COLOR decides if it is set (0 or false: none), then
 * NO_COLOR (no-color.org), then whether the stream is a terminal that is not `dumb`.
 */
export function wantsColor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM: terminal } = env
  if (force !== undefined) return force !== '0' && force !== 'false'
  if (none) return false
  return stream.isTTY === true && terminal !== 'dumb'
}

/** Text in a style, or unchanged if `color` is false. */
export function paint(style: Style, text: string, color: boolean): string {
  const [open, close] = CODES[style]
  return color ? `\u001b[${open}m${text}\u001b[${close}m` : text
}

/** As `cleanLines`, but for the styles of `paint`. */
export function cleanPainted(text: string): string {
  return text
    .split(STYLE)
    .map((part, index) => (index % 2 === 1 ? part : cleanLines(part)))
    .join('')
}
