import type { Random } from '../../../src/base/random.js'

const WORDS = (
  'the of And beginning God HEAVEN earth; — "quoted" don\'t we\'ll 12345 7 3.14159 1,000,000 x=y+1; {return} naïve ' +
  'ΟΔΥΣΣΕΥΣ Σ привет 中文 字符 漢字かなカガ 한국어 שלום مرحبا हिन्दी ไทยทำ 😀 👨\u200d👩\u200d👧 ﷺ ﬁ ½ A\u030a \u1ea1\u0301 The River'
).split(' ')
const SEPARATORS = [' ', ' ', ' ', '  ', '\n', '\n\n', '\t', ' \n ', '', '.', ', ', '。', '\r\n', '\u3000', '-', '...']
const REPEATED = 'a ab aab ha 中 文字 0 12 . = é e\u0301 \u0301 \u0323 Σ Σ. A Ab 😀 \n ▁ 가 ᄀ ᅡ ﾞ か\u3099 <|en \u200d'
  .split(' ')
  .concat(' ')
const BLOCKS = [0x20, 0xa0, 0x300, 0x1100, 0x3000, 0x4e00, 0xac00, 0xfb00, 0x1f300]

/** A text with what makes it hard to cut: long runs, marks, signs of all scripts, and added tokens, whole or not. */
export function makeNastyText(random: Random, length: number, addedTokens: string[]): string {
  const pick = <T>(items: T[]) => items[random.below(items.length)]!
  const oneRun = random.below(6) === 0
  let text = ''
  while (text.length < length) {
    const kind = random.below(100)
    if (oneRun || kind < 4) text += pick(REPEATED).repeat(1 + random.below(random.below(length) + 1))
    else if (kind < 8) text += ' '.repeat(random.below(4)) + pick(addedTokens) + ' '.repeat(random.below(4))
    else if (kind < 10) text += pick(addedTokens).slice(0, 1 + random.below(6))
    else if (kind < 13) text += String.fromCodePoint(pick(BLOCKS) + random.below(96))
    else text += pick(WORDS) + pick(SEPARATORS)
  }
  return text
}
