import { Document, isMap, isScalar, isSeq, type Node, type Scalar, visit } from 'yaml'
import { cleanLine, escapeUnshown } from './clean-text.js'

export interface YamlOptions {
  /** Lines above the document, of any text. */
  comment?: string[]
  /** Keys whose lists and mappings are written on one line. */
  onOneLine?: string[]
}

/** Words after an optional path prefix that no version of YAML takes for anything but a string. */
const PLAIN = /^(?:\.{0,2}\/)?[A-Za-z][\w./@+-]*(?: [\w./@+-]+)*$/
/** Words that YAML 1.1 or 1.2 reads as something else. */
const NOT_STRINGS = /^(?:y|n|yes|no|on|off|true|false|null)$/i

/**
 * Writes YAML that means the same to readers of version 1.1, such as PyYAML, and of 1.2: a string that either could
 * take for anything else is quoted, and no string ends a line or a comment.
 */
export function formatYaml(value: object, { comment = [], onOneLine = [] }: YamlOptions = {}): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  quoteStrings(document)
  visit(document, {
    Pair(_, { key, value: node }) {
      if (isScalar(key) && onOneLine.includes(String(key.value)) && (isSeq(node) || isMap(node))) {
        node.flow = true
      }
    },
  })
  const lines = comment.map((line) => `# ${cleanLine(line)}`.trimEnd())
  const text = document.toString({
    lineWidth: 0,
    flowCollectionPadding: false,
    doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
  })
  // only double quotes can hold escapes
  return [...lines, escapeUnshown(text)].join('\n')
}

/** A value as a node to set into a document that is otherwise kept. */
export function yamlNode(value: unknown): Node {
  const document = new Document(value, { aliasDuplicateObjects: false })
  quoteStrings(document)
  return document.contents!
}

function quoteStrings(document: Document): void {
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string') node.type = quotingOf(node.value)
    },
  })
}

function quotingOf(value: string): Scalar.Type {
  return PLAIN.test(value) && !NOT_STRINGS.test(value) ? 'PLAIN' : 'QUOTE_DOUBLE'
}
