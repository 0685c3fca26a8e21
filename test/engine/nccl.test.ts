/** How an engine finds NCCL and what it asks of it (codegen/device/engine/nccl.h): tried without a GPU, with an NCCL that adds in main memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { failureText } from '../../runtime/engine/engine-errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-nccl-'))
const [program, fake] = [join(folder, 'nccl'), join(folder, 'libnccl.so.2')]
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  const flags = ['-std=c++17', '-Wall', '-Werror', '-Icodegen/device']
  await execa('g++', [...flags, 'test/engine/fixtures/nccl.cpp', '-o', program, '-ldl'])
  await execa('g++', [...flags, '-fPIC', '-shared', 'test/engine/fixtures/fake-nccl.cpp', '-o', fake])
}, 60_000)

/** What it said, a line each. `env` alone: nothing of this process's. */
async function run(env: Record<string, string>): Promise<string[]> {
  const { stdout } = await execa(program, { env, extendEnv: false })
  return stdout.split('\n')
}
const failureOf = (line: string) => {
  const [, code, text] = /^\w+: (\w*) \| (.*)$/.exec(line)!
  return failureText({ code: code!, text: text! })
}

it('connects all devices in the order of ranks, and adds in place, in one group', async () => {
  expect(await run({ TILEC_NCCL: fake })).toEqual([
    'connect: multicast 0, devices 4 0 2',
    'connected:  | ',
    'describes,"nccl":"2.30.7"',
    ...[0, 1, 2].map((rank) => `sum: rank ${rank}, 2 of type 7, op 0, stream ${rank + 7}, in place`),
    'added:  | ',
    ...Array(3).fill('is 7 70'),
    'sum: rank 0, 0 of type 9, op 0, stream 7, in place',
    'nothing: nccl | NCCL, a sum: invalid usage; NCCL_DEBUG=WARN and NCCL_DEBUG_FILE tell more',
  ])
})

it('takes the one that the loader finds where none is named, and leaves multicast as it was set', async () => {
  const [first] = await run({ LD_LIBRARY_PATH: folder, TILEC_NCCL: '', NCCL_NVLS_ENABLE: '1' })
  expect(first).toBe('connect: multicast 1, devices 4 0 2')
})

it('is told where there is none, where it is something else, and where it fails', async () => {
  const missing = failureOf((await run({ TILEC_NCCL: join(folder, 'none.so') }))[0]!)
  expect(missing.code).toBe('TILE6017')
  expect(missing.message).toMatch(/^NCCL cannot be opened: .*none\.so: .*; TILEC_NCCL names the library$/)
  expect(failureOf((await run({ TILEC_NCCL: 'libm.so.6' }))[0]!).message).toContain('ncclGetVersion')
  const broken = failureOf((await run({ TILEC_NCCL: fake, FAKE_NCCL_FAILS: '1' }))[1]!)
  expect(broken.code).toBe('TILE6017')
  expect(broken.message).toContain('NCCL, connecting the GPUs: unhandled system error')
})
