/**
 * Runs the engine of a V2.5-Pro slice over one block of random tokens and holds its logits against the float64 reference.
 *
 *   node real-shapes.mjs emit FILE [RANKS]           writes the source for sm_90a
 *   node real-shapes.mjs run EXECUTABLE [RANKS]      runs it on as many GPUs and prints the errors
 *   npx tsx test/e2e/real-shapes.ts host [RANKS]     the same on the host, with 24 experts
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from '../../codegen/compile.ts'
import { readTemplate } from '../../codegen/emit/source.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { buildEngine } from '../../runtime/build/build-engine.ts'
import { startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { asset } from '../../runtime/paths.ts'
import { realShapes } from '../support/real-shapes.ts'
import { routerGaps } from '../support/router-gaps.ts'

const VOCABULARY = 1024
const kinds = [0, 1, 0] as const

interface Run {
  readonly target: 'host' | 'sm_90a'
  readonly seed: number
  readonly ranks: number
  readonly experts?: number
}

function compileRealShapes({ target, ...slice }: Run) {
  const shapes = realShapes({ pattern: kinds, vocabulary: VOCABULARY, ...slice })
  const schedule = readSchedule(shapes.schedules[target]!, (p) => {
    throw new Error(p.message)
  })!
  const compiled = compile(shapes.graph, schedule, {
    ranks: slice.ranks,
    ctx: 256,
    target: { name: target, sms: 132 },
    template: readTemplate(asset('codegen', 'templates', 'engine.cu.hbs')),
    version: 'test',
  })
  return { shapes, compiled }
}

interface Comparison {
  /** Largest and RMS error over the RMS of the reference's logits, by row. */
  readonly rows: readonly { readonly max: number; readonly rms: number; readonly sameTop: boolean }[]
  /** By row of the last block, how near its routing was to another one. */
  readonly gaps: readonly number[]
}

/** Engine's logits of the last block of a prompt of `tokens` against the reference. */
async function compareRealShapes(
  executable: string,
  { shapes, compiled }: ReturnType<typeof compileRealShapes>,
  tokens: readonly number[],
): Promise<Comparison> {
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
    const steps = blocks.map((block, i) => reference.step(block.map((token, r) => ({ token, position: i * 8 + r }))))
    const last = steps.at(-1)!
    return {
      rows: last.logits.map((row, r) => compareRow(row, (n) => record.readFloatLE((r * VOCABULARY + n) * 4))),
      gaps: routerGaps(shapes.graph, shapes.values, last, last.logits.length),
    }
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

async function report(executable: string, run: Run): Promise<void> {
  const tokens = Array.from({ length: 8 }, (_, i) => (i * 619 + run.seed * 97) % VOCABULARY)
  const { rows, gaps } = await compareRealShapes(executable, compileRealShapes(run), tokens)
  for (const [i, r] of rows.entries())
    console.log(
      `${run.ranks} ranks, row ${i}: max ${r.max.toExponential(2)} rms ${r.rms.toExponential(2)} top ${r.sameTop}, router gap ${gaps[i]!.toExponential(1)}`,
    )
}

const [verb, ...args] = process.argv.slice(2)
const [path] = args
const onGpu: Run = { target: 'sm_90a', seed: 1, ranks: Number(args[1] ?? 1) }
if (verb === 'emit' && path) {
  writeFileSync(path, compileRealShapes(onGpu).compiled.source)
} else if (verb === 'run' && path) {
  await report(path, onGpu)
} else if (verb === 'host') {
  const run: Run = { target: 'host', seed: 1, ranks: Number(args[0] ?? 1), experts: 24 }
  const { executable } = await buildEngine({ source: compileRealShapes(run).compiled.source, target: 'host' })
  await report(executable, run)
}
