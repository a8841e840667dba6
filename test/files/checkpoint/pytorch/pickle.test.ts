import { describe, expect, it } from 'vitest'
import { Name, PickleError, type PickleMeaning, readPickle } from '../../../../src/files/checkpoint/pytorch/pickle.js'

const MEANING: PickleMeaning<string> = {
  checkName(path) {
    if (path !== 'known.name') throw new Error(`refused ${path}`)
  },
  call: (path, args) => `${path} of ${args.length}`,
  load: (id) => `outside ${id}`,
}

const read = (...parts: (string | number[])[]) =>
  readPickle(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part)))),
    MEANING,
  )

describe('readPickle', () => {
  it.each([
    [
      'numbers',
      ['(J', [0xfe, 0xff, 0xff, 0xff], 'K', [7], 'M', [1, 2], [0x8a, 2, 0x00, 0xff], 't.'],
      [-2, 7, 513, -256],
    ],
    ['long numbers', ['(', [0x8a, 0], [0x8a, 5, 0, 0, 0, 0, 1], 't.'], [0, 2 ** 32]],
    ['a float', ['G', [0x3f, 0xe0, 0, 0, 0, 0, 0, 0], '.'], 0.5],
    ['truth and nothing', ['(', [0x88, 0x89], 'Nt.'], [true, false, null]],
    ['texts', ['(X', [2, 0, 0, 0], 'abU', [1], 'ct.'], ['ab', 'c']],
    ['a list', [']K', [1], 'a(K', [2], 'K', [3], 'e.'], [1, 2, 3]],
    [
      'a dict',
      ['}K', [1], 'K', [2], 's(K', [3], 'Nu.'],
      new Map([
        [1, 2],
        [3, null],
      ]),
    ],
    ['the memo', [']q', [5], 'K', [1], 'ah', [5], '0.'.slice(1)], [1]],
    ['a dict with attributes', ['}}b.'], new Map()],
    ['a call', ['cknown\nname\nK', [1], 'K', [2], [0x86], 'R.'], 'known.name of 2'],
    ['an object outside', ['K', [3], 'Q.'], 'outside 3'],
    ['a name', ['cknown\nname\n.'], new Name('known.name')],
  ])('reads %s', (_, parts, expected) => {
    expect(read(...(parts as (string | number[])[]))).toEqual(expected)
  })

  it('refuses a name that is not known before anything is done with it', () => {
    expect(() => read('cos\nsystem\n')).toThrow('refused os.system')
    expect(() => read([0x8c, 2], 'os', [0x8c, 6], 'system', [0x93], '.')).toThrow('refused os.system')
  })

  it.each([
    ['an opcode of programs', ['(K', [1], 'i.'], /opcode 0x69 at byte 3/],
    ['an extension code', [[0x82, 1]], /opcode 0x82/],
    ['no end', ['K', [1]], /ends too early/],
    ['a text longer than the pickle', ['X', [255, 255, 255, 127], 'a'], /ends too early/],
    ['nothing on the stack', ['.'], /takes a value that is not there/],
    ['no mark', ['K', [1], 't.'], /up to a mark that is not there/],
    ['an empty place of the memo', ['h', [9], '.'], /value 9 of its memo/],
    ['a call of a number', ['K', [1], ')R.'], /calls what is no name/],
    ['attributes of a list', [']Nb.'], /sets attributes of what is no dict/],
    ['an item of a number', ['K', [1], 'K', [1], 'K', [1], 's.'], /sets items of what is no dict/],
    ['a key without a value', ['}(K', [1], 'u.'], /a key in it has no value/],
    ['a list that is none', ['K', [1], 'K', [1], 'a.'], /appends to what is no list/],
    ['a huge number', [[0x8a, 255], '\0'.repeat(255), '.'], /has 255 bytes, expected at most 8/],
    ['too many values', ['N'.repeat(1_000_001)], /stack exceeds 1,000,000 values/],
    ['too many containers', ['](', `${'}'.repeat(1000)}e(`.repeat(2001)], /over 2000000 containers/],
  ])('refuses %s', (_, parts, message) => {
    const action = () => read(...(parts as (string | number[])[]))
    expect(action).toThrow(
      expect.objectContaining({ constructor: PickleError, message: expect.stringMatching(message) }),
    )
  })
})
