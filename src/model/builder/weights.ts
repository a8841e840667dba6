import { relative } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import { LayerpruneError } from '../../base/errors.js'
import { adviseOnConfig, CONFIG_FILE } from '../../files/checkpoint/config-file.js'
import type { SafetensorsCheckpoint, TensorLocation } from '../../files/checkpoint/safetensors.js'
import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { FLOAT_DTYPES } from '../graph/onnx/element-types.js'
import { setExternalData } from '../graph/onnx/external-data.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataLocation, DataType } from '../graph/onnx/onnx.js'
import { nameStoredPart } from '../graph/stored-part.js'
import { takeRows } from '../unpack/take-rows.js'

const STORED_TYPES: ReadonlyMap<string, DataType> = new Map([...FLOAT_DTYPES].map(([type, dtype]) => [dtype, type]))

/** The tensors of a checkpoint and their locations. */
export interface StoredTensors {
  tensors: SafetensorsCheckpoint['tensors']
  /** Real path that the graph's file references are relative to. */
  folder: string
  /** The file that holds the config; config.json if omitted. */
  configFile?: string | undefined
}

/**
 * The tensors of a checkpoint as initializers of a graph. Requested tensors are checked against the shapes that the
 * config implies; tensors never requested are an error at the end, so none is silently ignored.
 */
export class Weights {
  /** Packed weights, by the names of their initializers. */
  readonly packed = new Map<string, WeightExpression>()
  readonly #tensors: Map<string, TensorLocation>
  readonly #writer: GraphWriter
  readonly #used = new Set<string>()
  readonly #casts = new Map<string, string>()
  readonly #folder: string
  readonly #configFile: string

  constructor({ tensors, folder, configFile = CONFIG_FILE }: StoredTensors, writer: GraphWriter) {
    this.#configFile = configFile
    this.#tensors = tensors
    this.#folder = folder
    this.#writer = writer
  }

  /** Whether there is a tensor of that shape. */
  hasShape(name: string, shape: number[]): boolean {
    return `${this.#tensors.get(name)?.shape}` === `${shape}`
  }

  /** Length of a tensor's first axis; 0 if there is no such tensor. */
  rows(name: string): number {
    return this.#tensors.get(name)?.shape[0] ?? 0
  }

  /**
   * A tensor in its stored type, float32 if it is packed.
   * @param rows first and last (exclusive) of its rows, counted over all axes but the last; all if omitted
   */
  #stored(name: string, shape: number[], rows?: [start: number, end: number]): string {
    const location = this.#find(name, shape)
    const initializer = nameStoredPart({ tensor: location.name, rows })
    if (this.#writer.initializers.has(initializer)) return initializer
    const width = shape.length > 1 ? [shape.at(-1)!] : []
    const rowCount = shape.slice(0, Math.max(shape.length - 1, 1)).reduce((product, size) => product * size, 1)
    const [start, end] = rows ?? [0, rowCount]
    const rowBytes = location.sizeBytes / rowCount
    const tensor = create(TensorProtoSchema, {
      name: initializer,
      dataType: typeOf(location)!,
      dims: (rows ? [end - start, ...width] : shape).map(BigInt),
    })
    this.#writer.initializers.set(initializer, tensor)
    const { expression } = location
    if (expression !== undefined) {
      tensor.dataLocation = DataLocation.EXTERNAL
      this.packed.set(initializer, rows ? takeRows(expression, start, end) : expression)
      return initializer
    }
    setExternalData(tensor, {
      location: relative(this.#folder, location.file),
      offsetBytes: location.offsetBytes + start * rowBytes,
      sizeBytes: (end - start) * rowBytes,
    })
    return initializer
  }

  /**
   * Takes note of a tensor that follows from others and is not read.
   * @throws LayerpruneError if it is missing, or its shape or type is not as expected
   */
  pass(name: string, shape: number[]): void {
    this.#find(name, shape)
  }

  /**
   * Gathers rows of a table and converts only these to float32.
   * @param ids int64 of any shape
   * @throws LayerpruneError if the table is missing, or its shape or type is not as expected
   */
  lookUp(name: string, shape: [rows: number, width: number], ids: string): string {
    const rows = this.#writer.op('Gather', [this.#stored(name, shape), ids])
    return this.#writer.op('Cast', [rows], { to: DataType.FLOAT })
  }

  /**
   * A tensor in float32; ONNX Runtime casts it once, when the session starts, or in each run (`castsPerRun`).
   * @param rows first and last (exclusive) of its rows, counted over all axes but the last; all if omitted
   * @throws LayerpruneError if it is missing, or its shape or type is not as expected
   */
  float(name: string, shape: number[], rows?: [start: number, end: number]): string {
    const stored = this.#stored(name, shape, rows)
    if (typeOf(this.#find(name, shape)) === DataType.FLOAT) return stored
    const known = this.#casts.get(stored)
    if (known !== undefined) return known
    const cast = this.#writer.op('Cast', [stored], { to: DataType.FLOAT })
    this.#casts.set(stored, cast)
    return cast
  }

  /**
   * Checks that every tensor of the decoder has been used.
   * @param owns whether a tensor belongs to the decoder
   * @param extras names that a checkpoint may have besides its weights: buffers that are recomputed
   * @throws LayerpruneError that names the unused tensors
   */
  assertAllUsed(owns: (name: string) => boolean, extras: RegExp[]): void {
    const left = [...this.#tensors.keys()].filter(
      (name) => owns(name) && !this.#used.has(name) && !extras.some((extra) => extra.test(name)),
    )
    if (left.length === 0) return
    const more = left.length > 3 ? ` and ${left.length - 3} more` : ''
    throw new LayerpruneError(
      `the checkpoint has tensors that its ${this.#configFile} does not account for: ${left.slice(0, 3).join(', ')}${more}`,
      {
        hint: adviseOnConfig(this.#configFile, 'and weights from the same model, or use an ONNX export of it'),
      },
    )
  }

  /**
   * Checks that tensors that an adapter changes have been used.
   * @throws LayerpruneError that names one that has not
   */
  assertUsed(names: string[]): void {
    const unused = names.find((name) => !this.#used.has(name))
    if (unused === undefined) return
    throw new LayerpruneError(`the adapter changes ${unused}, which the decoder does not read`, {
      hint: 'merge the adapter into its base model with peft (merge_and_unload), and name the merged model',
    })
  }

  #find(name: string, shape: number[]): TensorLocation {
    const location = this.#tensors.get(name)
    const expected = `[${shape.join(', ')}]`
    if (!location) {
      throw new LayerpruneError(`the checkpoint has no tensor ${name}, expected ${expected}`, {
        hint: adviseOnConfig(this.#configFile, 'and all weights from the same model'),
      })
    }
    if (location.shape.length !== shape.length || location.shape.some((size, axis) => size !== shape[axis])) {
      throw new LayerpruneError(
        `tensor ${location.name} has the shape [${location.shape.join(', ')}], ${this.#configFile} implies ${expected}`,
        { hint: adviseOnConfig(this.#configFile, 'and weights from the same model') },
      )
    }
    if (typeOf(location) === undefined) {
      throw new LayerpruneError(`tensor ${location.name} is stored as ${location.dtype}, expected F32, F16 or BF16`)
    }
    this.#used.add(location.name)
    return location
  }
}

/** Type of a tensor's initializer; float32 if the tensor is packed. */
function typeOf({ dtype, expression }: TensorLocation): DataType | undefined {
  return expression === undefined ? STORED_TYPES.get(dtype) : DataType.FLOAT
}
