import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { writeCombined } from './combined.js'
import { ExpressionWriter } from './expression-writer.js'
import { writeGgmlBlocks } from './ggml/ggml-blocks.js'
import { writeIntegers, writeRowWords } from './integers.js'
import { writeLookup } from './lookup.js'
import { writeGathered, writeReshaped, writeRows, writeTransposed } from './rearranged.js'
import { writeConstant, writeStored } from './stored.js'

export class WeightWriter extends ExpressionWriter {
  expression(expression: WeightExpression, ids?: string): string {
    switch (expression.kind) {
      case 'stored':
        return writeStored(this, expression, ids)
      case 'constant':
        return writeConstant(this, expression)
      case 'integers':
        return writeIntegers(this, expression, ids)
      case 'row-words':
        return this.#lookUp(writeRowWords(this, expression), ids)
      case 'lookup':
        return writeLookup(this, expression, ids)
      case 'ggml-blocks':
        return writeGgmlBlocks(this, expression, ids)
      case 'combined':
        return writeCombined(this, expression, ids)
      case 'product':
        return this.op('MatMul', [this.expression(expression.left, ids), this.expression(expression.right)])
      case 'gathered':
        return this.#lookUp(writeGathered(this, expression), ids)
      case 'transposed':
        return this.#lookUp(writeTransposed(this, expression), ids)
      case 'reshaped':
        return this.#lookUp(writeReshaped(this, expression), ids)
      case 'rows':
        return this.#lookUp(writeRows(this, expression), ids)
    }
  }

  #lookUp(whole: string, ids: string | undefined): string {
    return ids === undefined ? whole : this.op('Gather', [whole, ids])
  }
}
