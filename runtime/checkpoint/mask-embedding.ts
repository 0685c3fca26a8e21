/**
 * The vector of the mask token, which drafters publish beside their weights: mask_embedding.pt or .safetensors.
 *
 * It is handed out as a tensor of its file called `mask_embedding`, so that everything that reads weights reads it too.
 * Invariant: one BF16 vector of the drafter's width, for the drafter's mask token; absent, doubled or unfitting files are
 * reported, because a drafter without it works and is silently worse.
 */
import type { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { type Folder, locate } from './folder.ts'
import { ForeignPickle, recognisePickledMask } from './pickle.ts'
import { type FileTensor, readSafetensors } from './safetensors.ts'
import { readTorchZip } from './torch-zip.ts'

export const maskEmbedding = 'mask_embedding'
export const maskFiles = [`${maskEmbedding}.pt`, `${maskEmbedding}.safetensors`] as const

export interface MaskDemand {
  readonly token: number
  readonly hidden: number
}

/** The tensor, or undefined after reporting. */
export function readMaskEmbedding(folder: Folder, demand: MaskDemand, session: Session): FileTensor | undefined {
  const present = maskFiles.filter((name) => folder.names.includes(name))
  if (present.length !== 1) {
    const what = present.length > 1 ? `has both ${maskFiles.join(' and ')}` : `has neither ${maskFiles.join(' nor ')}`
    session.report('TILE7100', what, {
      subject: folder.path,
      help: present.length > 1 ? 'keep the one that was published' : 'it is published beside the drafter: download it',
    })
    return undefined
  }
  const [name] = present as [(typeof maskFiles)[number]]
  const path = locate(folder, name, folder.path, session)
  const found = path === undefined ? undefined : readers[name](path, demand, session)
  return found && fitted(found, demand, session)
}

const readers: Record<
  (typeof maskFiles)[number],
  (path: string, demand: MaskDemand, session: Session) => FileTensor | undefined
> = {
  'mask_embedding.pt': readPickled,
  'mask_embedding.safetensors': (path, _, session) => {
    const tensors = readSafetensors(path, session)
    if (!tensors) return undefined
    const [tensor] = tensors
    if (tensor && tensors.length === 1) return tensor
    const names = tensors.map((t) => `'${t.name}'`).join(', ')
    return void session.report('TILE7103', `holds ${names || 'nothing'}; it is to hold one vector`, { subject: path })
  },
}

function readPickled(path: string, demand: MaskDemand, session: Session): FileTensor | undefined {
  const entries = readTorchZip(path, session)
  if (!entries) return undefined
  const malformed = (what: string) => void session.report('TILE7101', what, { subject: path })
  const pickle = entries.get('data.pkl')
  if (!pickle) return malformed("has no entry 'data.pkl'")
  const order = entries.get('byteorder')
  if (order && Buffer.from(order.bytes).toString('latin1') !== 'little') return malformed('is not little-endian')
  const mask = recognise(pickle.bytes, path, session)
  if (!mask) return undefined
  const data = entries.get(`data/${mask.key}`)
  if (!data) return malformed(`has no entry 'data/${mask.key}', where the pickle says that the embedding is`)
  if (mask.token !== demand.token) {
    session.report('TILE7104', `is for token ${mask.token}; the drafter's mask_token_id is ${demand.token}`, {
      subject: path,
    })
  }
  const misfit = (what: string) => void session.report('TILE7103', what, { subject: path })
  if (mask.storage !== 'torch.BFloat16Storage') return misfit(`holds a ${mask.storage}; the drafter's weights are BF16`)
  const count = mask.shape.reduce((n, d) => n * d, 1)
  if (data.bytes.length !== 2 * mask.elements || mask.first + count > mask.elements) {
    return misfit(
      `describes elements ${mask.first}..${mask.first + count} of ${mask.elements}, in ${data.bytes.length} bytes`,
    )
  }
  const contiguous = mask.shape.map((_, i) => mask.shape.slice(i + 1).reduce((n, d) => n * d, 1))
  if (
    mask.stride.length !== mask.shape.length ||
    mask.stride.some((s, i) => mask.shape[i] !== 1 && s !== contiguous[i])
  ) {
    return misfit(`holds a tensor [${mask.shape.join(', ')}] with strides [${mask.stride.join(', ')}]`)
  }
  return {
    name: maskEmbedding,
    file: path,
    dtype: 'BF16',
    shape: mask.shape,
    offset: data.offset + 2 * mask.first,
    bytes: 2 * count,
  }
}

function recognise(bytes: Uint8Array, path: string, session: Session) {
  try {
    return recognisePickledMask(bytes)
  } catch (error) {
    if (!(error instanceof ForeignPickle)) throw error
    session.report('TILE7102', `holds a pickle that is not a mask embedding: it ${error.message}`, {
      subject: path,
      help: 'nothing of it was run; where you trust it, save its tensor as mask_embedding.safetensors',
    })
    return undefined
  }
}

/** The same tensor under the name and in the shape that drafters bind; [1, hidden] is a vector too. */
function fitted(tensor: FileTensor, { hidden }: MaskDemand, session: Session): FileTensor | undefined {
  const shape = tensor.shape.filter((d, i) => d !== 1 || i === tensor.shape.length - 1)
  if (tensor.dtype === 'BF16' && shape.length === 1 && shape[0] === hidden)
    return { ...tensor, name: maskEmbedding, shape }
  const found = `holds ${tensor.dtype} [${tensor.shape.join(', ')}]; the drafter needs BF16 [${hidden}]`
  return void session.report('TILE7103', found, { subject: tensor.file })
}
