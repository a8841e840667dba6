import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NUMBER = /\d+\.\d+/g

/** A file of the repository. */
export const readPage = (name: string) => readFileSync(join(ROOT, name), 'utf8')

/** What stands in the fences of a language on a page, in their order. */
export function blocksOf(page: string, language: string): string[] {
  return [...readPage(page).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  )
}

/** What the README shows of the demo, and the commands in it. */
export function readDemo(): { shown: string; commands: string[] } {
  const shown = /<!-- demo: .* -->\n```text\n([\s\S]*?)\n```\n<!-- \/demo -->/.exec(
    readPage('README.md'),
  )![1]!
  return { shown, commands: [...shown.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!) }
}

/** Equal text, and numbers equal to what the last printed digit can differ by on another processor. */
export function expectSameBesidesRounding(found: string, expected: string): void {
  expect(found.replace(NUMBER, '#')).toBe(expected.replace(NUMBER, '#'))
  const numbers = (text: string) => [...text.matchAll(NUMBER)].map(([number]) => Number(number))
  const differences = numbers(found).map((number, index) => Math.abs(number - numbers(expected)[index]!))
  expect(Math.max(...differences)).toBeLessThan(0.011)
}
