import { describe } from 'vitest'
import { LONG_TESTS } from '../support/long-tests.js'
import { findChromium } from './browser.js'
import { findProgram } from './find-program.js'

/** Python of an environment with what test/interop/requirements.txt lists. */
export const python = process.env.LAYERPRUNE_PYTHON ?? ''
/** Pythons with what test/interop/requirements-genai.txt and requirements-optimum.txt list. */
export const genaiPython = process.env.LAYERPRUNE_GENAI_PYTHON ?? ''
export const optimumPython = process.env.LAYERPRUNE_OPTIMUM_PYTHON ?? ''
/** Python with what test/interop/requirements-lm-eval.txt lists. */
export const lmEvalPython = process.env.LAYERPRUNE_LM_EVAL_PYTHON ?? ''
/** Python with what test/interop/requirements-llama-cpp.txt lists. */
export const llamaCppPython = process.env.LAYERPRUNE_LLAMA_CPP_PYTHON ?? ''
export const chromium = findChromium() ?? ''
const NO_QEMU = 'no qemu-x86_64 in PATH (Debian: qemu-user), or no x86 processor'
/** Emulates x86 processors. */
export const qemu = process.arch === 'x64' ? (findProgram(['qemu-x86_64']) ?? '') : ''

/** A group of tests against other programs: skipped with a message without their Python. */
export const describeWithPython = (title: string, tests: () => void) =>
  describeWith(python, title, 'set LAYERPRUNE_PYTHON to a python with test/interop/requirements.txt', tests)

/** A group of tests of what an exporter writes: skipped with a message without its Python. */
export const describeWithGenai = (title: string, tests: () => void) =>
  describeWith(genaiPython, title, needsPython('GENAI', 'genai'), tests)
export const describeWithOptimum = (title: string, tests: () => void) =>
  describeWith(optimumPython, title, needsPython('OPTIMUM', 'optimum'), tests)

/** A group of tests against lm-evaluation-harness: skipped with a message without its Python. */
export const describeWithLmEval = (title: string, tests: () => void) =>
  describeWith(lmEvalPython, title, needsPython('LM_EVAL', 'lm-eval'), tests)

/** A group of tests against llama.cpp: skipped with a message without its Python. */
export const describeWithLlamaCpp = (title: string, tests: () => void) =>
  describeWith(llamaCppPython, title, needsPython('LLAMA_CPP', 'llama-cpp'), tests)

/** A group of tests against llama.cpp's converter, which is in no package: skipped with a message without its sources. */
export const describeWithConverter = (title: string, tests: () => void) =>
  describeWith(
    process.env.LLAMA_CPP ? python : '',
    title,
    'set LAYERPRUNE_PYTHON, and LLAMA_CPP to its sources, as the sources of llama-cpp-python have them in vendor/llama.cpp',
    tests,
  )

/** A group of long tests on another processor: skipped with a message without QEMU, and on processors that are not x86. */
export const describeWithQemu = (title: string, tests: () => void) =>
  describeWith(LONG_TESTS ? qemu : '', title, LONG_TESTS ? NO_QEMU : 'set LAYERPRUNE_LONG_TESTS=1', tests)

function needsPython(variable: string, name: string): string {
  return `set LAYERPRUNE_${variable}_PYTHON to a python with test/interop/requirements-${name}.txt`
}

/** A group of tests in a browser: skipped with a message without Chromium. */
export const describeWithChromium = (title: string, tests: () => void) =>
  describeWith(chromium, title, 'no chromium in PATH, and LAYERPRUNE_CHROMIUM is not set', tests)

function describeWith(program: string, title: string, missing: string, tests: () => void): void {
  if (!program) console.log(`tests of "${title}" skipped: ${missing}`)
  describe.skipIf(!program)(title, tests)
}
