/** Engines through nvcc, where it is installed: whether what was emitted for a GPU compiles and links; nothing is optimised, nothing runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa, execaSync } from 'execa'
import type { EngineKind } from '../../codegen/engines.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { deviceFolder } from '../../runtime/build/build-engine.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'

export const hasNvcc = execaSync('nvcc', ['--version'], { reject: false }).exitCode === 0

/** Two layers of nano as this engine, on two ranks. Rejects with what nvcc says. */
export async function compileForHopper(engine: EngineKind, schedule?: Schedule): Promise<void> {
  const model = cutModel(resolveModel({ model: 'nano', drafter: 'none', schedule }), 2)
  const { source } = compileModel(model, { target: 'sm_90a', gpus: 2, ctx: 128, engine })
  const folder = mkdtempSync(join(tmpdir(), 'tilec-nvcc-'))
  try {
    writeFileSync(join(folder, 'engine.cu'), source)
    const flags = ['-gencode', 'arch=compute_90a,code=sm_90a', '-std=c++17', '-Xptxas', '-O0', '-cudart', 'static']
    await execa('nvcc', [...flags, '-I', deviceFolder(), '-o', join(folder, 'engine'), join(folder, 'engine.cu')])
  } finally {
    rmSync(folder, { recursive: true })
  }
}
