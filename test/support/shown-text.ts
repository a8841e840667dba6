import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ROOT } from './paths.js'

const NUMBER = /\d+(\.\d+)?/g

/** A file of the repository. */
export const readPage = (name: string) => readFileSync(join(ROOT, name), 'utf8')

/** What stands in the fences of a language on a page, in their order. */
export function blocksOf(page: string, language: string): string[] {
  return [...readPage(page).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  )
}

/** What `npm run docs` wrote between two comments of a page. */
export function readSection(page: string, name: string): string {
  return new RegExp(`<!-- ${name}: .* -->\\n([\\s\\S]*?)\\n<!-- /${name} -->`).exec(readPage(page))![1]!
}

/** What the demo prints, as examples/README.md shows it, and the commands in it. */
export function readDemo(): { shown: string; commands: string[] } {
  const shown = readFenced('examples/README.md', 'demo')
  return { shown, commands: [...shown.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!) }
}

/** A section that is one fenced block of text. */
export function readFenced(page: string, name: string): string {
  return /^```text\n([\s\S]*)\n```$/.exec(readSection(page, name))![1]!
}

/**
 * Equal text, and numbers that differ by no more than one in the last printed decimal, as they can on another
 * processor; whole numbers are equal.
 */
export function expectSameBesidesRounding(found: string, expected: string): void {
  expect(found.replace(NUMBER, '#')).toBe(expected.replace(NUMBER, '#'))
  const numbersIn = (text: string) => [...text.matchAll(NUMBER)].map(([number]) => number)
  const expectedNumbers = numbersIn(expected)
  const different = numbersIn(found).filter((number, index) => !isSameBesidesRounding(number, expectedNumbers[index]!))
  expect(different).toEqual([])
}

function isSameBesidesRounding(found: string, expected: string): boolean {
  const decimals = Math.max(...[found, expected].map((number) => number.split('.')[1]?.length ?? 0))
  // in units of the last decimal, which are whole numbers but for rounding
  const units = Math.abs(Number(found) - Number(expected)) * 10 ** decimals
  return decimals === 0 ? units === 0 : units < 1.5
}
