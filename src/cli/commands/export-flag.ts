import { type Command, InvalidArgumentError } from 'commander'

/** A format and a type to export to; the usual type of the format if none is given. */
export interface ExportRequest {
  to: 'onnx' | 'gguf'
  dtype?: string
}

export interface ExportFlag {
  export?: ExportRequest[]
}

export function addExportFlag(command: Command): Command {
  return command.option(
    '--export <formats>',
    'then export what was written, as layerprune export does, into OUTPUT-onnx and OUTPUT-gguf: onnx, gguf, or several with their types, such as onnx:q4f16,onnx:q8,gguf:Q4_K_M',
    readRequests,
  )
}

function readRequests(text: string): ExportRequest[] {
  return text.split(',').map((part) => {
    const [to, dtype, ...others] = part.trim().split(':')
    if ((to !== 'onnx' && to !== 'gguf') || dtype === '' || others.length > 0) {
      throw new InvalidArgumentError('Expected onnx or gguf with a type, for example onnx:q4f16,gguf:Q4_K_M')
    }
    return { to, ...(dtype !== undefined && { dtype }) }
  })
}
