import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { makeTempFolder } from './cli/run-program.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')

function blocksOf(name: string, language: string): string[] {
  return [...read(name).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  )
}

/** A folder that looks like the root of the repository to an example. */
function makeRoot(): string {
  const cwd = makeTempFolder()
  symlinkSync(join(ROOT, 'examples'), join(cwd, 'examples'))
  mkdirSync(join(cwd, 'bin'))
  symlinkSync(join(ROOT, 'bin/layerprune.js'), join(cwd, 'bin/layerprune'))
  return cwd
}

describe('docs/library.md', () => {
  const library = pathToFileURL(join(ROOT, 'dist/index.js')).href
  it.each(blocksOf('docs/library.md', 'js').map((code) => [/import \{ (.*?) \}/.exec(code)![1]!, code]))(
    'the example of %s runs',
    async (_, code) => {
      const cwd = makeRoot()
      writeFileSync(join(cwd, 'example.mjs'), code.replace("from 'layerprune'", `from '${library}'`))
      const { stdout } = await run(process.execPath, ['example.mjs'], { cwd })
      expect(stdout).not.toBe('')
      expect(stdout).not.toContain('undefined')
    },
  )
})

it('the commands of docs/ci.md run', async () => {
  const cwd = makeRoot()
  const env = { ...process.env, PATH: `${join(cwd, 'bin')}${delimiter}${process.env.PATH}` }
  for (const script of blocksOf('docs/ci.md', 'sh')) await run('bash', ['-euc', script], { cwd, env })
  expect(existsSync(join(cwd, 'report.html'))).toBe(true)
})

it('docs lead to files that are there', () => {
  const pages = ['CONTRIBUTING.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => join(dirname(page), link!)),
  )
  expect(links.length).toBeGreaterThan(3)
  expect(links.filter((link) => !existsSync(join(ROOT, link)))).toEqual([])
})
