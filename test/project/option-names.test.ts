import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { nameFlag } from '../../src/base/name-option.js'
import { normalizeArguments } from '../../src/cli/commands/arguments.js'
import { listFlags, makeProgram } from '../../src/cli/program.js'
import { OPTION_KINDS } from '../../src/jobs/library/option-kinds.js'
import { ROOT } from '../support/paths.js'
import { readPage } from '../support/shown-text.js'

const FLAG = /(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9]/g
const NAMED_OPTION = /`([a-z][a-zA-Z]*)(?:: [^`]*)?`/g

/** Flags of other programs that messages name, by program. */
const FOREIGN_IN_MESSAGES = {
  'lm_eval, which the card of a pruned model calls': ['--model', '--model_args', '--tasks'],
  'axolotl, which a recipe calls': ['--lora-model-dir'],
  'install.js of onnxruntime-node': ['--onnxruntime-node-install'],
  'llama-quantize of llama.cpp': ['--prune-layers'],
  zstd: ['--ultra', '--long'],
  'node, in which strangers’ files are worked on': ['--max-old-space-size'],
}
const FOREIGN_IN_DOCS = {
  npm: ['--ignore-scripts', '--global'],
  docker: ['--rm', '--user'],
  'bench/run.js': ['--list', '--only', '--python', '--runs', '--small'],
  'bench/strategies.js and bench/heal-table.js': ['--calibrate', '--evaluate', '--train', '--work'],
  'bench/against-pytorch.js': ['--mixed-lengths'],
  'test/hardening/run.js': ['--count'],
}
const flagsOf = (programs: Record<string, string[]>) => new Set(Object.values(programs).flat())
const foreign = { messages: flagsOf(FOREIGN_IN_MESSAGES), docs: flagsOf(FOREIGN_IN_DOCS) }

interface SourceText {
  file: string
  /** Texts of string literals and templates. */
  literals: string[]
  /** Names given to `nameOption` and `nameFlag`. */
  options: string[]
  flags: string[]
}

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

const program = makeProgram()
const defined = new Set([
  '--help',
  ...[program, ...program.commands].flatMap(({ options }) => options).map(({ long }) => long!),
])

function readSource(file: string): SourceText {
  const read: SourceText = { file, literals: [], options: [], flags: [] }
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      read.literals.push(node.text)
    }
    if (ts.isCallExpression(node) && node.arguments[0] && ts.isStringLiteral(node.arguments[0])) {
      const called = node.expression.getText()
      if (called === 'nameOption') read.options.push(node.arguments[0].text)
      if (called === 'nameFlag') read.flags.push(node.arguments[0].text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest, true))
  return read
}

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readSource(`src/${name.replaceAll('\\', '/')}`))
const core = sources.filter(({ file }) => !file.startsWith('src/cli/'))

/** Flags of a text that are neither of a command nor of PruneMe, whose flags the commands take. */
const findUndefined = (text: string, others: Set<string>) =>
  findFlags(text).filter((flag) => !others.has(flag) && !defined.has(normalizeArguments([flag])[0]!))

const findFlags = (text: string) => [...text.matchAll(FLAG)].map(([flag]) => flag)

function listFound(texts: SourceText[], find: (text: string) => string[]): string[] {
  return texts.flatMap(({ file, literals }) => literals.flatMap(find).map((found) => `${file}: ${found}`))
}

describe('messages', () => {
  it('outside the command line name no flag', () => {
    const isOwn = (flag: string) => !foreign.messages.has(flag)
    expect(listFound(core, (text) => findFlags(text).filter(isOwn))).toEqual([])
  })

  it('outside the command line name options of the library that have a flag', () => {
    const flags = listFlags(program)
    const isOption = (name: string) => name in OPTION_KINDS && flags.has(name)
    const named = core.flatMap(({ options, literals }) => [
      ...options,
      ...literals.flatMap((text) => [...text.matchAll(NAMED_OPTION)].map(([, name]) => name!)),
    ])
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter((name) => !isOption(name))).toEqual([])
  })

  it('name flags that a command has', () => {
    const named = sources.flatMap(({ flags }) => flags).map(nameFlag)
    expect(named.filter((flag) => !defined.has(flag))).toEqual([])
    expect(listFound(sources, (text) => findUndefined(text, foreign.messages))).toEqual([])
  })
})

it.each(PAGES)('%s names flags that a command has', (page) => {
  expect(findUndefined(readPage(page), foreign.docs)).toEqual([])
})

it('each flag of another program is named somewhere', () => {
  const literals = new Set(core.flatMap((source) => source.literals).flatMap(findFlags))
  expect([...foreign.messages].filter((flag) => !literals.has(flag))).toEqual([])
  const pages = new Set(PAGES.map(readPage).flatMap(findFlags))
  expect([...foreign.docs].filter((flag) => !pages.has(flag))).toEqual([])
})
