// The device primitives on the host: every unit program of units/, compiled with the system's C++ compiler in a fast and a
// checking build, under many schedules, and with faults put into them. Where nvcc is present, the same programs must compile
// for a GPU (gpu/build.sh builds and gpu/run.sh runs them there).
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { headersHash } from '../../runtime/build/build-engine.ts'
import { madeOnce, program, sourcesIn } from '../support/made-once.ts'
import { hasNvcc, nvccVersion } from '../support/nvcc.ts'

/** The path of a unit program built with these flags. */
const build = (unit: string, ...flags: readonly string[]): Promise<string> =>
  program(`test/device/units/${unit}.cpp`, ['-Og', '-Wall', '-Wextra', '-Werror', '-Wno-psabi', ...flags])
async function run(path: string, ...words: readonly string[]) {
  const { stdout, exitCode } = await execa(path, words, { reject: false, timeout: 60_000 })
  return { stdout, exitCode }
}

const minutes = 60_000
const checking = '-DTILE_CHECK'
const units = ['matrix', 'normalise', 'attention', 'near', 'route', 'pipeline'] as const

describe('unit programs', () => {
  for (const unit of units)
    it(`${unit}: right under 50 schedules, fast and checking`, { timeout: 2 * minutes }, async () => {
      for (const flags of [[], [checking]]) {
        expect(await run(await build(unit, ...flags), '--seeds', '50')).toEqual({ stdout: 'ok 50', exitCode: 0 })
      }
    })

  // Every number of ranks and every type of numbers, not each with each: a program takes four seconds to build.
  for (const [ranks, exchange] of [
    [1, 'float'],
    [2, 'tile::bf16'],
    [4, 'float'],
    [8, 'tile::bf16'],
  ])
    it(`packets: ${ranks} ranks agree to the bit on the sum in rank order (${exchange})`, {
      timeout: 2 * minutes,
    }, async () => {
      const path = await build('packets', checking, `-DRANKS=${ranks}`, `-DEXCHANGE=${exchange}`)
      expect(await run(path, '--seeds', '20')).toEqual({ stdout: 'ok 20', exitCode: 0 })
    })

  for (const [ranks, exchange] of [
    [1, 'float'],
    [2, 'tile::i64'],
    [4, 'tile::bf16'],
    [8, 'float'],
    [8, 'tile::i64'],
  ])
    it(`shots: ${ranks} ranks get the same bits by way of owners (${exchange})`, { timeout: 2 * minutes }, async () => {
      const path = await build('shots', checking, `-DRANKS=${ranks}`, `-DEXCHANGE=${exchange}`)
      expect(await run(path, '--seeds', '20')).toEqual({ stdout: 'ok 20', exitCode: 0 })
    })

  for (const ranks of [1, 2, 4, 8])
    it(`exact: leaves on ${ranks} ranks give the sum of integers`, { timeout: 2 * minutes }, async () => {
      for (const flags of ranks === 8 ? [[], [checking]] : [[checking]]) {
        const path = await build('exact', ...flags, `-DRANKS=${ranks}`, '-DEXCHANGE=tile::i64')
        expect(await run(path, '--seeds', '20')).toEqual({ stdout: 'ok 20', exitCode: 0 })
      }
    })
})

describe('faults', () => {
  it('a deadlock names every blocked warp, its site, its object and both numbers', { timeout: minutes }, async () => {
    const { stdout, exitCode } = await run(await build('stall', checking))
    expect(exitCode).toBe(1)
    expect(stdout).toContain('deadlock: no warp can move')
    expect(stdout).toContain('rank 0 SM 1 load warp 0, load wait input: waits for counter never, expected 1, got 0')
    expect(stdout).toContain(
      'rank 0 SM 0 compute warp 3, compute await: waits for a filled ring page, expected 1, got 0',
    )
    expect(stdout).toContain('rank 0 SM 0 epilogue warp 1, join take: waits for a filled join slot')
  })

  it('a memory fault and an endless loop end the run, not the process', { timeout: minutes }, async () => {
    expect((await run(await build('stall', checking, '-DWILD'))).stdout).toMatch(
      /compute warp \d, after role barrier: a memory fault/,
    )
    expect((await run(await build('stall', checking, '-DENDLESS'))).stdout).toMatch(
      /compute warp \d, after role barrier: an endless loop/,
    )
  })

  it('a wait left out is a race that names both sides', { timeout: minutes }, async () => {
    const path = await build('pipeline', checking)
    const loadWait = '1'
    const { stdout } = await run(path, '--drop', loadWait)
    expect(stdout).toMatch(
      /race: input part 0: .*communicate warp 0 writes .*not ordered with the access of .*copy engine after load wait input/,
    )
  })

  it('a page used after it was overrun is named', { timeout: minutes }, async () => {
    const acquire = '2'
    const { stdout } = await run(await build('matrix', checking), '--drop', acquire)
    expect(stdout).toMatch(/race: ring page: .*compute await: uses filling 1 while filling \d is there/)
  })

  for (const unit of ['pipeline', 'matrix', 'normalise'] as const)
    it(`${unit}: no fault in the schedule goes by with a wrong result`, { timeout: 2 * minutes }, async () => {
      const { stdout, exitCode } = await run(await build(unit, checking), '--mutate', '--seeds', '5')
      expect(exitCode).toBe(0)
      const lines = stdout.split('\n')
      expect(lines.filter((line) => line.includes('WRONG'))).toEqual([])
      expect(lines.length).toBeGreaterThan(100)
    })

  it('leaving out any signal of the pipeline is noticed', { timeout: minutes }, async () => {
    const { stdout } = await run(await build('pipeline', checking), '--mutate', '--seeds', '5')
    const ends = new Map(
      stdout.split('\n').map((line) => [line.split(' | ').slice(0, 2).join(' '), line.split(' | ')[2]]),
    )
    const signals = [
      'load commit',
      'compute release',
      'join commit',
      'join release',
      'signal sums',
      'signal done',
      'slots commit',
      'slots release',
      'signal input',
    ]
    // Nobody can go on, or an SM that still can signals a second time before the others have once.
    for (const signal of signals)
      expect([signal, ends.get(`${signal} drop`)]).toEqual([
        signal,
        expect.stringMatching(/^(deadlock|overrun)( (deadlock|overrun))*$/),
      ])
    for (const wait of ['load wait input', 'compute await', 'join take', 'slots acquire', 'slots await', 'wait sums'])
      expect([wait, ends.get(`${wait} drop`)]).toEqual([wait, expect.stringContaining('race')])
  })
})

describe.skipIf(!hasNvcc)('CUDA', () => {
  it('every unit program compiles for sm_90a', { timeout: 5 * minutes }, async () => {
    const sources = ['test/device/gpu', 'test/device/units'].flatMap(sourcesIn)
    // What runs there of all, and one with what starts it: that is the same in each, and half of the time.
    await madeOnce([nvccVersion, headersHash(), ...sources], async (folder) => {
      await execa('sh', ['test/device/gpu/build.sh', join(folder, 'kernels'), '-cubin'])
      await execa('sh', ['test/device/gpu/build.sh', folder], { env: { ONLY: 'stall-4' } })
    })
  })
})
