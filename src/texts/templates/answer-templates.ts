import { answerRequests } from '../../base/answering-process.js'

/** Answers the requests of a `TemplateProcess`; what `run` throws is told to the one who asked. */
export function answerTemplates<Request, Result>(run: (request: Request) => Result): void {
  answerRequests((request: Request) => {
    try {
      return run(request)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      // V8's own limits
      throw new Error(/call stack/.test(error.message) ? 'it is nested too deeply' : 'it makes a text that is too long')
    }
  })
}
