/** A process that writes chats by the templates of models. */
import { Environment } from '@huggingface/jinja'
import { answerRequests } from '../../base/answering-process.js'
import { LimitError, LimitedInterpreter } from '../templates/limited-interpreter.js'
import { parseTemplate } from '../templates/parse-template.js'
import type { ChatRequest } from './chat-writer.js'

type Program = ReturnType<typeof parseTemplate>

/**
 * Templates that ask for the date are given this one, the date that Llama 3's falls back to: another one each day would
 * be another text each day.
 */
const DATE: Record<string, string> = { Y: '2024', m: '07', d: '26', b: 'Jul', B: 'July', H: '00', M: '00' }

/** Numbers that Jinja's sandbox, in which transformers runs templates, lets a range have. */
const MOST_NUMBERS = 100_000

const programs = new Map<string, Program>()
/** Of templates that were given up. */
const limits = new Map<string, Error>()

answerRequests(({ template, tokens, turns, isOpen = false }: ChatRequest): string => {
  const program = programs.get(template) ?? parseTemplate(template, { lstrip_blocks: true, trim_blocks: true })
  programs.set(template, program)
  if (turns === null) return ''
  const limit = limits.get(template)
  if (limit !== undefined) throw limit
  try {
    return String(
      new LimitedInterpreter(makeEnvironment({ messages: turns, add_generation_prompt: isOpen, ...tokens })).run(
        program,
      ).value,
    )
  } catch (error) {
    // those of V8 are RangeErrors
    if (error instanceof LimitError || error instanceof RangeError) limits.set(template, error)
    throw error
  }
})

/** The names that transformers gives a template. */
function makeEnvironment(values: Record<string, unknown>): Environment {
  const environment = new Environment()
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null }
  const functions = {
    raise_exception: (message: unknown) => {
      throw new Error(String(message))
    },
    strftime_now: (format: string) => format.replace(/%([YmdbBHM])/g, (_, letter) => DATE[letter]!),
    range: (...bounds: number[]) => listNumbers(bounds),
  }
  const names = { ...constants, ...functions, tools: null, documents: null }
  for (const [name, value] of Object.entries({ ...names, ...values })) environment.set(name, value)
  return environment
}

/** Python's range. */
function listNumbers(bounds: number[]): number[] {
  const [start, end, step] = bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1]
  const length = Math.max(0, Math.ceil((end - start) / step))
  // NaN too
  if (!(length <= MOST_NUMBERS)) throw new Error(`a range has ${length} numbers, Jinja takes at most ${MOST_NUMBERS}`)
  return Array.from({ length }, (_, index) => start + step * index)
}
