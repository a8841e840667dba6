import { parse, tokenize } from '@huggingface/jinja'

/** A template as the library's syntax tree; throws an Error that says what is wrong with it. */
export function parseTemplate(source: string, options?: Parameters<typeof tokenize>[1]): ReturnType<typeof parse> {
  try {
    return parse(tokenize(source, options))
  } catch (cause) {
    // the library reads past the end of a template that lacks a part
    if (!(cause instanceof TypeError)) throw cause
    throw new Error('an expression or a tag is incomplete', { cause })
  }
}
