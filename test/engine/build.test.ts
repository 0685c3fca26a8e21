/**
 * Building: the cache, its safety, and what a user is told when a compiler is missing or refuses.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { buildEngine } from '../../runtime/build/build-engine.ts'
import { parseErrors } from '../../runtime/build/build-errors.ts'
import { parsePtxas } from '../../runtime/build/ptxas.ts'
import { fixture } from './bigram.ts'

vi.setConfig({ testTimeout: 120_000 })
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilec-build-'))
  vi.stubEnv('TILEC_CACHE', join(folder, 'cache'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

/** A compiler that answers --version and otherwise does what `body` says ($out: the output, $@: all words). */
function fakeCompiler(body: string, version = '1'): string {
  const path = join(folder, 'fake-compiler')
  const script = `#!/bin/sh
if [ "$1" = --version ]; then echo "fake ${version}"; exit 0; fi
echo run >> "${folder}/runs"
out=; for word; do [ "$previous" = -o ] && out=$word; previous=$word; done
${body}
`
  writeFileSync(path, script)
  chmodSync(path, 0o755)
  return path
}
const runs = () => readFileSync(join(folder, 'runs'), 'utf8').trim().split('\n').length
const entries = () => readdirSync(join(folder, 'cache', 'engines'))

/** A process that ended but was not collected is not running. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error('no error'),
    (e: unknown) => e,
  )
  if (!(error instanceof DiagnosticError)) throw error
  return error.diagnostics.map((d) => `${d.code} ${d.subject ?? ''} ${d.message} ${d.help ?? ''}`).join('\n')
}

describe('the cache', () => {
  it('builds once; source, flags, compiler version and the checking switch make another entry', async () => {
    vi.stubEnv('CXX', fakeCompiler('echo made > "$out"'))
    const build = (source: string, check = false) => buildEngine({ source, target: 'host', check })
    const first = await build('a')
    expect(first).toMatchObject({ cached: false, ptxas: [] })
    expect(await build('a')).toEqual({ ...first, cached: true })
    expect((await build('b')).cached).toBe(false)
    expect((await build('a', true)).cached).toBe(false)
    vi.stubEnv('CXX', fakeCompiler('echo made > "$out"', '2'))
    expect((await build('a')).cached).toBe(false)
    expect(runs()).toBe(4)
    expect(entries()).toHaveLength(4)
  })

  it("passes CXXFLAGS on behind its own flags, as another entry; a GPU's compiler is not told", async () => {
    vi.stubEnv('CXX', fakeCompiler('echo "$@" > "$out"'))
    vi.stubEnv('NVCC', process.env.CXX)
    const words = async (target: 'host' | 'sm_90a') => {
      const { executable } = await buildEngine({ source: 'a', target })
      return readFileSync(executable, 'utf8').split(' ')
    }
    vi.stubEnv('CXXFLAGS', '')
    expect((await words('host')).filter((word) => word.startsWith('-O'))).toEqual(['-O2'])
    vi.stubEnv('CXXFLAGS', ' -O1  -g ')
    expect((await words('host')).filter((word) => /^-[Og]/.test(word))).toEqual(['-O2', '-O1', '-g'])
    expect(await words('sm_90a')).not.toContain('-O1')
    expect(entries()).toHaveLength(3)
  })

  it('lets concurrent builds of one key all succeed with one entry', async () => {
    vi.stubEnv('CXX', fakeCompiler('sleep 0.2; echo made > "$out"'))
    const builds = await Promise.all([1, 2, 3, 4].map(() => buildEngine({ source: 'a', target: 'host' })))
    expect(new Set(builds.map((b) => b.executable)).size).toBe(1)
    expect(entries()).toHaveLength(1)
  })

  it('keeps nothing of a build that failed', async () => {
    vi.stubEnv('CXX', fakeCompiler('echo half > "$out"; exit 1'))
    await failure(buildEngine({ source: 'a', target: 'host' }))
    expect(entries()).toEqual([])
  })

  it('leaves no process and no entry of a build that is called off, however many its compiler started', async () => {
    const pids = join(folder, 'pids')
    vi.stubEnv('CXX', fakeCompiler(`sleep 300 & echo $! >> ${pids}; echo $$ >> ${pids}; mktemp; wait`))
    const abort = new AbortController()
    const build = buildEngine({ source: 'a', target: 'host', signal: abort.signal })
    await vi.waitFor(() => expect(readFileSync(pids, 'utf8').trim().split('\n')).toHaveLength(2))
    abort.abort(new Error('enough'))
    await expect(build).rejects.toThrow('enough')
    const left = readFileSync(pids, 'utf8').trim().split('\n').map(Number).filter(isRunning)
    expect(left).toEqual([])
    expect(entries()).toEqual([])
    await expect(buildEngine({ source: 'a', target: 'host', signal: abort.signal })).rejects.toThrow('enough')
    expect(runs()).toBe(1)
  })

  it('leaves no process when tilec itself is told to end', async () => {
    const pids = join(folder, 'pids')
    const compiler = fakeCompiler(`sleep 300 & echo $! >> ${pids}; echo $$ >> ${pids}; wait`)
    const program = `
      import { runCompiler } from '${join(process.cwd(), 'runtime/build/run-compiler.ts')}'
      void runCompiler('${compiler}', [], '${folder}', new AbortController().signal)`
    writeFileSync(join(folder, 'program.mts'), program)
    const tilec = execa(process.execPath, ['--import', 'tsx', join(folder, 'program.mts')], { reject: false })
    await vi.waitFor(() => expect(readFileSync(pids, 'utf8').trim().split('\n')).toHaveLength(2), 10_000)
    tilec.kill('SIGTERM')
    expect((await tilec).signal).toBe('SIGTERM')
    await vi.waitFor(() =>
      expect(readFileSync(pids, 'utf8').trim().split('\n').map(Number).filter(isRunning)).toEqual([]),
    )
  })

  it('says where it would have written when it cannot', async () => {
    vi.stubEnv('CXX', fakeCompiler('echo made > "$out"'))
    mkdirSync(join(folder, 'cache'))
    writeFileSync(join(folder, 'cache', 'engines'), 'a file in the way')
    expect(await failure(buildEngine({ source: 'a', target: 'host' }))).toMatch(/TILE5004 .*engines .*TILEC_CACHE/)
  })
})

describe('failures', () => {
  it('names what was tried when there is no compiler', async () => {
    vi.stubEnv('PATH', folder)
    vi.stubEnv('CXX', '/nonexistent/g++')
    expect(await failure(buildEngine({ source: 'a', target: 'host' }))).toMatch(
      /TILE5001.*tried \/nonexistent\/g\+\+, g\+\+/,
    )
    vi.stubEnv('CUDA_HOME', '/nonexistent')
    expect(await failure(buildEngine({ source: 'a', target: 'sm_90a' }))).toMatch(/TILE5001.*nvcc.*--target host/)
  })

  it("points at the author's line through #line", async () => {
    const source = fixture('bigram.cu').replace(
      'tile::first_round(w);',
      'tile::first_round(w);\n#line 42 "graph.ts"\n  no_such_function(w);\n',
    )
    expect(await failure(buildEngine({ source, target: 'host' }))).toMatch(/TILE5002 graph.ts:42 .*no_such_function/)
  })

  it('reads the errors of g++, clang, nvcc, ptxas and the linker', () => {
    const log = `graph.ts:7:3: error: 'x' was not declared
main.cu(12): error: identifier "y" is undefined
main.cu(13): error #20: identifier "z" is undefined
a.h:1:10: fatal error: gone.h: No such file or directory
ptxas fatal   : Unresolved extern function 'f'
/tmp/x.o: undefined reference to \`g'
graph.ts:8:1: warning: unused`
    expect(parseErrors(log).map((e) => `${e.place} ${e.message}`)).toEqual([
      "graph.ts:7 'x' was not declared",
      'main.cu(12) identifier "y" is undefined',
      'main.cu(13) identifier "z" is undefined',
      'a.h:1 gone.h: No such file or directory',
      "ptxas Unresolved extern function 'f'",
      "/tmp/x.o undefined reference to `g'",
    ])
  })
})

describe('ptxas', () => {
  const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN4tile13engine_kernelENS_10EngineArgsE' for 'sm_90a'
ptxas info    : Function properties for _ZN4tile13engine_kernelENS_10EngineArgsE
    224 bytes stack frame, 16 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 96 registers, used 1 barriers, 224 bytes cumulative stack size
ptxas info    : Function properties for _ZN4tile4Warp7overdueERmiNS_4WhatEijjb
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads`

  it('tells registers, spills and stack of each kernel', () => {
    expect(parsePtxas(log)).toEqual([{ kernel: 'engine_kernel', registers: 96, spills: 16, stack: 224 }])
  })

  it("refuses a kernel over the schedule's budget, from the cache too", async () => {
    vi.stubEnv('NVCC', fakeCompiler(`cat <<'END'\n${log}\nEND\necho made > "$out"`))
    const build = (registers: number, spillBytes: number) =>
      failure(buildEngine({ source: 'a', target: 'sm_90a', budget: { registers, spillBytes } }))
    for (const _ of [1, 2])
      expect(await build(80, 16)).toMatch(
        /TILE5003 .*'engine_kernel' uses 96 registers .* spills 16 bytes; the schedule allows 80 and 16/,
      )
    expect(await build(96, 0)).toMatch(/TILE5003/)
    await expect(
      buildEngine({ source: 'a', target: 'sm_90a', budget: { registers: 96, spillBytes: 16 } }),
    ).resolves.toMatchObject({ cached: true })
  })
})
