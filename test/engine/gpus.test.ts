/** Machines that an engine refuses, and why (codegen/device/engine/gpus.h): tried without a GPU. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failureText } from '../../runtime/engine/engine-errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-gpus-'))
afterAll(() => rmSync(folder, { recursive: true }))

let lines: string[][]
beforeAll(async () => {
  const program = join(folder, 'gpus')
  await execa('g++', ['-std=c++17', '-Icodegen/device', 'test/engine/fixtures/gpus.cpp', '-o', program])
  lines = (await execa(program)).stdout.split('\n').map((line) => line.split('|').map((word) => word.trim()))
}, 60_000)

describe('GPUs of a machine', () => {
  it('are taken where they are enough, equal, and reach each other', () => {
    expect(lines.filter(([name]) => name === 'good')).toEqual(Array(3).fill(['good', '', '']))
  })

  it.each([
    ['few', 'TILE6005', 'the engine runs 4 ranks and wants GPU 2; this machine has 2 GPUs'],
    ['twice', 'TILE6005', 'ranks 0 and 2 were both given GPU 1; a rank fills a GPU'],
    ['old', 'TILE6005', 'GPU 0 (NVIDIA A100) has compute capability 8.0; the engine was built for 9.0 (Hopper)'],
    ['small', 'TILE6005', 'GPU 0 (NVIDIA H200) has 114 SMs; the engine was planned for 132'],
    ['shared', 'TILE6005', 'has 166912 bytes of shared memory a block; the engine needs 190000'],
    [
      'reserved',
      'TILE6005',
      "keeps the first 2048 bytes of a block's shared memory for the system; the engine was built for 1024",
    ],
    ['full', 'TILE6004', 'has 60.0 GiB free of 140.0 GiB; the engine needs 71.3 GiB of it: weights 66.0 GiB'],
    ['unequal', 'TILE6005', 'GPU 1 (NVIDIA H100) is not like GPU 0 (NVIDIA H200)'],
    ['apart', 'TILE6005', 'GPU 1 (NVIDIA H200) cannot access the memory of GPU 0 (NVIDIA H200)'],
  ])('are refused: %s', (name, code, said) => {
    const [, short, text] = lines.find(([n]) => n === name)!
    const told = failureText({ code: short!, text: text! })
    expect(told.code).toBe(code)
    expect(told.message).toContain(said)
  })

  it('have processors near them, as the system lists them', () => {
    const near = lines.filter(([name]) => name === 'processors').map(([, list]) => list)
    expect(near).toEqual(['0 1 2 3 8 10 11', '5', '', ''])
  })
})
