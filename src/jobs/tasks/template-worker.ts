/** A process that evaluates the templates of tasks on documents. */
import { answerRequests } from '../../base/answering-process.js'
import { LimitError } from '../../texts/templates/limited-interpreter.js'
import type { Evaluated, EvaluationRequest } from './evaluate-rules.js'
import { compileTemplate, type Template } from './template.js'

const compiled = new Map<string, Template>()

answerRequests(({ sources, documents }: EvaluationRequest): Evaluated[][] => {
  const templates = sources.map(compileOnce)
  let limit: Error | undefined
  const evaluate = (template: Template, fields: Record<string, unknown>): Evaluated => {
    try {
      if (limit !== undefined) throw limit
      return { value: template(fields) }
    } catch (error) {
      // those of V8 are RangeErrors
      if (error instanceof RangeError) throw error
      if (error instanceof LimitError) limit = error
      return { failure: (error as Error).message }
    }
  }
  return documents.map((fields) => templates.map((template) => evaluate(template, fields)))
})

function compileOnce(source: string): Template {
  const template = compiled.get(source) ?? compileTemplate(source)
  compiled.set(source, template)
  return template
}
