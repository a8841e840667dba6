import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type GraphProto, makeNode, parseModel } from '../../../src/model/graph/onnx/onnx.js'
import { sortNodes } from '../../../src/model/graph/onnx/topology.js'
import { findResidualStream } from '../../../src/model/graph/residual-stream.js'
import { FIXTURES } from '../../support/paths.js'

function readGraph(name: string): GraphProto {
  return parseModel(readFileSync(join(FIXTURES, 'onnx', name, 'onnx/model.onnx'))).graph!
}

function rename(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => (name === from ? to : name))
  }
  for (const input of graph.input) if (input.name === from) input.name = to
}

describe('findResidualStream', () => {
  it('finds one state for each layer and one more', () => {
    for (const name of ['llama', 'fused-llama', 'gpt2', 'phi']) {
      const states = findResidualStream(readGraph(name), 3, name)
      expect(new Set(states).size, name).toBe(4)
    }
  })

  it('does not depend on the order of the nodes in the file', () => {
    const graph = readGraph('llama')
    const expected = findResidualStream(graph, 3, 'llama')
    graph.node.reverse()
    sortNodes(graph)
    expect(findResidualStream(graph, 3, 'llama')).toEqual(expected)
  })

  it('names the sum of a fused norm that left it unnamed', () => {
    const graph = readGraph('fused-llama')
    const last = graph.node.filter(({ opType }) => opType === 'SkipSimplifiedLayerNormalization').at(-1)!
    last.output.length = 1
    const states = findResidualStream(graph, 3, 'fused-llama')
    expect(last.output[3]).toBe(states.at(-1))
  })

  it.each([
    ['another number of layers', 5, () => {}, /config states 5 layers, so 5 or 10 sums were expected, and 6 found/],
    [
      'layers in another order',
      3,
      (graph: GraphProto) => {
        for (const part of ['key', 'value']) {
          rename(graph, `past_key_values.0.${part}`, 'aside')
          rename(graph, `past_key_values.2.${part}`, `past_key_values.0.${part}`)
          rename(graph, 'aside', `past_key_values.2.${part}`)
        }
      },
      /past_key_values\.\d\.\w+ feeds sum \d, but layer \d opens at sum \d/,
    ],
    [
      'no embedding',
      3,
      (graph: GraphProto) => rename(graph, 'input_ids', 'inputs_embeds'),
      /no embedding lookup reads input_ids/,
    ],
    [
      'a norm between layers, as post-norm models have',
      3,
      (graph: GraphProto) => {
        const states = findResidualStream(graph, 3, '')
        const index = graph.node.findIndex(({ output }) => output.includes(states[1]!))
        for (const node of graph.node) node.input = node.input.map((name) => (name === states[1] ? 'normed' : name))
        graph.node.splice(index + 1, 0, makeNode('LpNormalization', [states[1]!], ['normed']))
      },
      /sum 2 of 6 .* does not add to the one before it/,
    ],
  ])('refuses %s', (_, layers, edit, message) => {
    const graph = readGraph('llama')
    edit(graph)
    expect(() => findResidualStream(graph, layers, 'model.onnx')).toThrow(message)
  })

  it('refuses a graph without a known output', () => {
    const graph = readGraph('llama')
    for (const output of graph.output) if (output.name === 'logits') output.name = 'scores'
    expect(() => findResidualStream(graph, 3, 'model.onnx')).toThrow(/no output named logits.*it has scores/)
  })
})

describe('sortNodes', () => {
  it('refuses a cycle', () => {
    const graph = readGraph('llama')
    graph.node.push(makeNode('Add', ['b', 'c'], ['a']), makeNode('Relu', ['a'], ['b']))
    expect(() => sortNodes(graph)).toThrow(/cycle/)
  })
})
