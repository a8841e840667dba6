import { LayerpruneError } from '../../../base/errors.js'
import type { SafetensorsDtype } from '../safetensors-dtype.js'
import { quoteName } from '../safetensors-header.js'
import { withoutWrapperNames } from '../wrapper-names.js'
import { Name, type PickleMeaning, type PickleValue, readPickle } from './pickle.js'

/** Numbers of one type that a PyTorch file holds, one after another. */
interface Storage {
  kind: 'storage'
  dtype: SafetensorsDtype
  /** Name of its file inside the archive, under `data/`. */
  key: string
}

/** A view of a storage. */
export interface StoredTensor {
  kind: 'tensor'
  storage: Storage
  /** Index of its first number in the storage. */
  offset: number
  shape: number[]
  /** Numbers from one index to the next, of each axis. */
  strides: number[]
}

type Value = PickleValue<Storage | StoredTensor>

const STORAGES: Record<string, SafetensorsDtype> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
}

type Call = (args: Value[]) => Value | undefined

/** What may be called: each makes a tensor from views and numbers, or an empty dict. */
const CALLS: Record<string, Call> = {
  'collections.OrderedDict': (args) => (args.length === 0 ? new Map() : undefined),
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_parameter': ([data]) => (isTensor(data) ? data : undefined),
}

/** Where training code keeps the tensors of the model beside its optimizer's. */
const MODEL_KEYS = ['state_dict', 'model_state_dict', 'model', 'module']
const MAX_AXES = 64

/**
 * Reads the names and places of a model's tensors from the pickle of a PyTorch file.
 * @returns tensors by name, in the pickle's order
 * @throws PickleError if the pickle is damaged
 * @throws LayerpruneError if it names a class or function that tensors do not need, or holds no tensors by name
 */
export function readStateDict(pickle: Uint8Array, path: string): Map<string, StoredTensor> {
  const value = readPickle(pickle, tensorMeaning(path))
  for (const dict of [value, ...innerDicts(value)]) {
    const tensors = takeTensors(dict)
    if (tensors.size > 0) return withoutWrapperNames(tensors)
  }
  throw new LayerpruneError(`${path} holds no tensors by name, as a model's state_dict has them`, {
    hint: 'save the state_dict of the model, or name the folder that save_pretrained wrote',
  })
}

function tensorMeaning(path: string): PickleMeaning<Storage | StoredTensor> {
  return {
    checkName(name) {
      if (Object.hasOwn(CALLS, name) || Object.hasOwn(STORAGES, name)) return
      throw new LayerpruneError(
        `${path} names ${quoteName(name)}, which is no tensor: a pickle may hold programs, and none is run`,
        { hint: 'if you trust the file, load it with torch and save its state_dict as safetensors' },
      )
    },
    call(name, args) {
      const value = CALLS[name]?.(args)
      if (value !== undefined) return value
      throw wrongTensor(path, `${name} is called with other arguments than torch.save writes`)
    },
    load: (id) => readStorage(id, path),
  }
}

/** `('storage', class, key, device, count)`; how many numbers it has is said by the archive. */
function readStorage(id: Value, path: string): Storage {
  const [word, type, key]: (Value | undefined)[] = Array.isArray(id) ? id : []
  const dtype = type instanceof Name ? STORAGES[type.path] : undefined
  if (word === 'storage' && dtype !== undefined && typeof key === 'string') {
    return { kind: 'storage', dtype, key }
  }
  throw wrongTensor(path, 'a storage is described in another way than torch.save does')
}

/** `(storage, offset, shape, strides, ...)`; what follows is for training. */
function rebuildTensor([storage, offset, shape, strides]: (Value | undefined)[]): StoredTensor | undefined {
  if (!isStorage(storage) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) return undefined
  if (shape.length !== strides.length) return undefined
  return { kind: 'tensor', storage, offset, shape, strides }
}

function isStorage(value: Value | undefined): value is Storage {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'storage'
}

function isTensor(value: Value | undefined): value is StoredTensor {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor'
}

function isSizes(value: Value | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_AXES && value.every(isSize)
}

function isSize(value: Value | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function innerDicts(value: Value): Value[] {
  return value instanceof Map ? MODEL_KEYS.flatMap((key) => value.get(key) ?? []) : []
}

/** The tensors of a dict by their names; numbers and other things beside them have no part in a model. */
function takeTensors(dict: Value): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  if (!(dict instanceof Map)) return tensors
  for (const [name, value] of dict) {
    if (typeof name === 'string' && isTensor(value)) tensors.set(name, value)
  }
  return tensors
}

function wrongTensor(path: string, what: string): LayerpruneError {
  return new LayerpruneError(`${path} is not a valid PyTorch file: ${what}`, {
    hint: 'if you trust the file, load it with torch and save its state_dict as safetensors',
  })
}
