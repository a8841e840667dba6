/** A process that parses the YAML of strangers: what is nested deeply or has many faults can end it or take minutes. */
import { parseDocument } from 'yaml'
import { answerRequests } from './answering-process.js'
import type { ParsedYaml, YamlRequest } from './read-yaml.js'

answerRequests(({ text, uniqueKeys }: YamlRequest): ParsedYaml => {
  // warnings are returned, not printed
  const document = parseDocument(text, { logLevel: 'error', uniqueKeys })
  const [errors, warnings] = [document.errors, document.warnings].map((problems) =>
    problems.map(({ message }) => message.split('\n')[0]!),
  ) as [string[], string[]]
  return { value: errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 }), errors, warnings }
})
