/**
 * The reference against an independent reading of the same files in PyTorch float64 (models/mimo/nano/train/oracle.py):
 * logits, residual streams and greedy continuations.
 */

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { argmax, generateGreedy } from '../../compiler/reference/generate.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { readSafetensors } from '../../runtime/checkpoint/safetensors.ts'
import { loadNano, nanoFolder } from '../support/nano.ts'

const fixture = new Map(readSafetensors(join(nanoFolder, 'oracle.safetensors'), new Session())!.map((t) => [t.name, t]))
const numbers = (name: string): number[] => {
  const tensor = fixture.get(name)!
  const { buffer } = readTensor(tensor)
  return Array.from(tensor.dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer))
}
const rowsOf = (tensor: number[], width: number): number[][] =>
  Array.from({ length: tensor.length / width }, (_, i) => tensor.slice(i * width, (i + 1) * width))

const nano = loadNano()
const reference = createReference(nano.graph, nano.params, { ctx: 256 })

describe('reference on nano', () => {
  it('agrees with the oracle in logits, normalisers and taps', { timeout: 120_000 }, () => {
    const ids = rowsOf(numbers('ids'), 64)
    const vocabIds = numbers('vocab_ids')
    const logits = rowsOf(numbers('logits'), vocabIds.length)
    const logsumexp = numbers('logsumexp')
    const tapSum = rowsOf(numbers('tap_sum'), ids.length * 64)
    const tapRms = rowsOf(numbers('tap_rms'), ids.length * 64)
    let worst = 0
    const compare = (actual: number, expected: number, scale: number) => {
      worst = Math.max(worst, Math.abs(actual - expected) / scale)
    }
    ids.forEach((tokens, sequence) => {
      reference.reset()
      const step = reference.step(tokens.map((token, position) => ({ token, position })))
      step.logits.forEach((row, position) => {
        const at = sequence * 64 + position
        const scale = Math.max(...logits[at]!.map(Math.abs))
        for (const [i, id] of vocabIds.entries()) compare(row[id]!, logits[at]![i]!, scale)
        const max = Math.max(...row)
        compare(
          max + Math.log(row.reduce((s, z) => s + Math.exp(z - max), 0)),
          logsumexp[at]!,
          Math.abs(logsumexp[at]!),
        )
        ;[...step.taps.values()].forEach((rows, tap) => {
          const x = rows[position]!
          const rms = Math.sqrt(x.reduce((s, v) => s + v * v, 0) / x.length)
          compare(rms, tapRms[tap]![at]!, tapRms[tap]![at]!)
          compare(
            x.reduce((s, v) => s + v, 0),
            tapSum[tap]![at]!,
            tapRms[tap]![at]! * x.length,
          )
        })
      })
    })
    expect(worst).toBeLessThan(1e-6)
  })

  it("continues the oracle's prompts with the oracle's tokens", { timeout: 120_000 }, () => {
    const prompts = rowsOf(numbers('greedy_prompt'), 64)
    const expected = rowsOf(numbers('greedy'), 64)
    const gaps = rowsOf(numbers('greedy_gap'), 64)
    numbers('greedy_prompt_length').forEach((length, i) => {
      const out = generateGreedy(reference, prompts[i]!.slice(0, length), 64)
      // a tie within float32 noise may go either way, and then the rest is another text
      const tie = gaps[i]!.findIndex((g) => g < 1e-6)
      expect(out.slice(0, tie < 0 ? 64 : tie)).toEqual(expected[i]!.slice(0, tie < 0 ? 64 : tie))
    })
  })

  it('gives the same token one row at a time as in one block', () => {
    const tokens = rowsOf(numbers('ids'), 64)[7]!.slice(0, 12)
    reference.reset()
    const whole = reference.step(tokens.map((token, position) => ({ token, position }))).logits
    reference.reset()
    const single = tokens.map((token, position) => reference.step([{ token, position }]).logits[0]!)
    expect(single.map((row) => argmax(row))).toEqual(whole.map((row) => argmax(row)))
    expect(single).toEqual(whole)
  })
})
