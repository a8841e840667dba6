import { chunk } from '../../base/chunk.js'
import { LimitedProcess } from '../../base/limited-process.js'
import type { DataRecord } from '../../texts/data/records.js'
import { assertTemplateLength } from '../../texts/templates/template-length.js'
import type { Rule, TaskDefinition } from './definition.js'

type TemplateRule = Extract<Rule, { template: string }>

/** Templates and the fields of the documents on which each is evaluated. */
export interface EvaluationRequest {
  sources: string[]
  documents: Record<string, unknown>[]
}

/** What a template gives for a document, or why it gives nothing. */
export type Evaluated = { value: unknown } | { failure: string }

/** Documents sent at once: more take no less time, and one that ends the process is found among them. */
const DOCUMENTS = 16

const templates = new LimitedProcess<EvaluationRequest, Evaluated[][]>('jobs/tasks/template-worker.js')

/** @throws LayerpruneError, naming the key, if a template of the task is malformed or uses what is not understood */
export async function assertTemplates(task: TaskDefinition): Promise<void> {
  for (const { template, key } of listTemplates(task)) {
    const what = `${key}: the template cannot be used`
    assertTemplateLength(template, what)
    await templates.ask({ sources: [template], documents: [] }, { what })
  }
}

/**
 * Evaluates the templates of a task on documents.
 * @returns for each document, by template
 * @throws LayerpruneError if a template takes too long or too much memory
 */
export async function evaluateRules(
  task: TaskDefinition,
  records: DataRecord[],
  signal?: AbortSignal | undefined,
): Promise<Map<DataRecord, Map<string, Evaluated>>> {
  const sources = listTemplates(task).map(({ template }) => template)
  const results = new Map<DataRecord, Map<string, Evaluated>>()
  const evaluate = async (part: DataRecord[]) => {
    const what = `task ${task.name}: a template cannot write one of ${part.length} documents: ${part[0]!.origin}`
    const documents = part.map(({ fields }) => fields)
    const evaluated = await templates.ask({ sources, documents }, { what, signal })
    for (const [index, record] of part.entries()) {
      results.set(record, new Map(evaluated[index]!.map((result, rule) => [sources[rule]!, result])))
    }
  }
  // the next part is sent while one is evaluated
  let before: Promise<void> | undefined
  for (const part of chunk(records, DOCUMENTS)) {
    const evaluating = evaluate(part)
    evaluating.catch(() => {})
    await before
    before = evaluating
  }
  await before
  return results
}

function listTemplates({ text, target, choices, description }: TaskDefinition): TemplateRule[] {
  const rules = [text, target, choices, description]
  return rules.filter((rule): rule is TemplateRule => rule !== undefined && 'template' in rule)
}
