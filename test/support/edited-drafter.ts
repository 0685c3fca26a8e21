/** A copy of nano's trained drafter with some of its tensors, or its config, changed: how tests make faults. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { openDrafterFolder } from '../../runtime/checkpoint/drafter.ts'
import { openFolder } from '../../runtime/checkpoint/folder.ts'
import { maskEmbedding, readMaskEmbedding } from '../../runtime/checkpoint/mask-embedding.ts'
import { nanoFolder } from './nano.ts'
import { type SyntheticTensor, writeSafetensors } from './synthetic-checkpoint.ts'
import { workerFolder } from './worker-folder.ts'

export type Tensors = Map<string, SyntheticTensor>

/** `edit` may change the tensors, `mask_embedding` among them, in place. */
export function editedDrafter(edit: (tensors: Tensors) => void, config: object = {}): string {
  const from = openDrafterFolder(join(nanoFolder, 'dflash'))
  const session = new Session()
  const mask = readMaskEmbedding(openFolder(from.folder, session)!, { token: 4095, hidden: 384 }, session)
  session.throwIfFailed()
  const tensors: Tensors = new Map(
    [...from.tensors, [maskEmbedding, mask!] as const].map(([name, t]) => [
      name,
      { dtype: t.dtype, shape: t.shape, bytes: Uint8Array.from(readTensor(t)) },
    ]),
  )
  edit(tensors)
  const folder = workerFolder('edited')
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...from.config, ...config }))
  writeSafetensors(
    join(folder, `${maskEmbedding}.safetensors`),
    new Map([[maskEmbedding, tensors.get(maskEmbedding)!]]),
  )
  tensors.delete(maskEmbedding)
  writeSafetensors(join(folder, 'dflash_draft_model.safetensors'), tensors)
  return folder
}

/** Changes the numbers of BF16 tensors whose name matches. */
export function bf16(
  tensors: Tensors,
  name: RegExp,
  change: (value: number, index: number, all: Float32Array) => number,
): void {
  for (const [key, { bytes }] of tensors) {
    if (!name.test(key)) continue
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const word = new DataView(new ArrayBuffer(4))
    const all = Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
      word.setUint16(0, view.getUint16(2 * i, true))
      word.setUint16(2, 0)
      return word.getFloat32(0)
    })
    all.forEach((value, i) => {
      word.setFloat32(0, change(value, i, all))
      view.setUint16(2 * i, word.getUint16(0), true)
    })
  }
}
