/** Engines through nvcc, where it is installed: whether what was emitted for a GPU compiles and links; nothing is optimised, nothing runs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa, execaSync } from 'execa'
import type { EngineKind } from '../../codegen/engines.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { deviceFolder, headersHash } from '../../runtime/build/build-engine.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { madeOnce } from './made-once.ts'

const version = execaSync('nvcc', ['--version'], { reject: false })
export const hasNvcc = version.exitCode === 0
export const nvccVersion = String(version.stdout)

/** Two layers of nano as this engine, on two ranks. Rejects with what nvcc says. */
export async function compileForHopper(engine: EngineKind, schedule?: Schedule): Promise<void> {
  const model = cutModel(resolveModel({ model: 'nano', drafter: 'none', schedule }), 2)
  const { source } = compileModel(model, { target: 'sm_90a', gpus: 2, ctx: 128, engine })
  const flags = ['-gencode', 'arch=compute_90a,code=sm_90a', '-std=c++17', '-Xptxas', '-O0', '-cudart', 'static']
  await madeOnce([source, nvccVersion, ...flags, headersHash()], (folder) => {
    writeFileSync(join(folder, 'engine.cu'), source)
    return execa('nvcc', [...flags, '-I', deviceFolder(), '-o', join(folder, 'engine'), join(folder, 'engine.cu')])
  })
}
