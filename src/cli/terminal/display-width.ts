const HALF_WIDTH = /^[\uff61-\uffdc]/u
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u
const INVISIBLE = /^[\p{Mark}\p{Format}\p{Control}]*$/u
const PLAIN = /^[ -~]*$/
let letters: Intl.Segmenter | undefined

/** Terminal columns that a text takes: two for Chinese, Japanese and Korean letters and for emoji, else one. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  // it takes 15 ms to make
  letters ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  let width = 0
  for (const { segment } of letters.segment(text)) {
    if (WIDE.test(segment) && !HALF_WIDTH.test(segment)) width += 2
    else if (!INVISIBLE.test(segment)) width += 1
  }
  return width
}
