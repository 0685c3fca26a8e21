/**
 * Runs the engine of a V2.5-Pro slice over one block of random tokens and holds its logits against the float64 reference.
 *
 *   node real-shapes.mjs emit FILE           writes the source for sm_90a
 *   node real-shapes.mjs run EXECUTABLE      runs it on a GPU and prints the errors, with the control beside them
 *
 * The control is the same reference with activations rounded to bf16 where the engine stages them: what BF16 itself costs.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from '../../codegen/compile.ts'
import { readTemplate } from '../../codegen/emit/source.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { asset } from '../../runtime/paths.ts'
import { realShapes } from '../support/real-shapes.ts'

const VOCABULARY = 1024
export const kinds = [0, 1, 0] as const

export function compileRealShapes(
  target: 'host' | 'sm_90a',
  seed: number,
  pattern: readonly number[] = kinds,
  experts?: number,
) {
  const shapes = realShapes(pattern, VOCABULARY, seed, experts)
  const schedule = readSchedule(shapes.schedules[target]!, (p) => {
    throw new Error(p.message)
  })!
  const compiled = compile(shapes.graph, schedule, {
    ranks: 1,
    ctx: 256,
    target: { name: target, sms: 132 },
    template: readTemplate(asset('codegen', 'templates', 'engine.cu.hbs')),
    version: 'test',
  })
  return { shapes, compiled }
}

export interface Comparison {
  /** Largest and RMS error over the RMS of the reference's logits, by row. */
  readonly rows: readonly { readonly max: number; readonly rms: number; readonly sameTop: boolean }[]
}

/** Engine's logits of the last block of a prompt of `tokens` against the reference. */
export async function compareRealShapes(
  executable: string,
  target: 'host' | 'sm_90a',
  seed: number,
  tokens: readonly number[],
  pattern?: readonly number[],
  experts?: number,
): Promise<Comparison> {
  const { shapes, compiled } = compileRealShapes(target, seed, pattern, experts)
  const logits = compiled.plan.buffers.find((b) => b.form.kind === 'logits')!
  const folder = mkdtempSync(join(tmpdir(), 'tilec-shapes-'))
  const file = join(folder, 'probe')
  try {
    const engine = await startEngine({
      executable,
      loadPlan: writeLoadPlan(compiled.manifest, shapes.source),
      ctx: 256,
      vocabulary: VOCABULARY,
      args: ['--probe', file, '--probe-range', `${logits.offset}:${logits.bytes}`],
      silenceMs: 120_000,
    })
    for await (const _ of engine.generate({ prompt: tokens, maxNewTokens: 1 })) {
      // one token: the prompt's last block is the last round
    }
    await engine.close()
    const record = readFileSync(file)
      .subarray(-(logits.bytes + 40))
      .subarray(40)
    const reference = createReference(shapes.graph, shapes.values, { ctx: 256 })
    const blocks = Array.from({ length: Math.ceil(tokens.length / 8) }, (_, i) => tokens.slice(i * 8, i * 8 + 8))
    let expected: readonly Float64Array[] = []
    blocks.forEach((block, i) => {
      expected = reference.step(block.map((token, r) => ({ token, position: i * 8 + r }))).logits
    })
    return { rows: expected.map((row, r) => compareRow(row, (n) => record.readFloatLE((r * VOCABULARY + n) * 4))) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function compareRow(expected: Float64Array, got: (n: number) => number): Comparison['rows'][number] {
  let max = 0
  let square = 0
  let size = 0
  let top = 0
  let gotTop = 0
  expected.forEach((e, n) => {
    const error = Math.abs(got(n) - e)
    max = Math.max(max, error)
    square += error * error
    size += e * e
    if (e > expected[top]!) top = n
    if (got(n) > got(gotTop)) gotTop = n
  })
  const scale = Math.sqrt(size / expected.length)
  return { max: max / scale, rms: Math.sqrt(square / expected.length) / scale, sameTop: top === gotTop }
}

const [verb, path] = process.argv.slice(2)
if (verb === 'emit' && path) {
  writeFileSync(path, compileRealShapes('sm_90a', 1).compiled.source)
} else if (verb === 'run' && path) {
  for (const seed of [1]) {
    const tokens = Array.from({ length: 8 }, (_, i) => (i * 619 + seed * 97) % VOCABULARY)
    const { rows } = await compareRealShapes(path, 'sm_90a', seed, tokens)
    for (const [i, r] of rows.entries()) {
      console.log(`seed ${seed} row ${i}: max ${r.max.toExponential(2)} rms ${r.rms.toExponential(2)} top ${r.sameTop}`)
    }
  }
}
