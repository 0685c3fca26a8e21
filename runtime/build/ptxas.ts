/**
 * What ptxas -v says of each kernel: registers a thread, bytes of stack, bytes spilled (stores; loads repeat them).
 */
export interface Ptxas {
  readonly kernel: string
  readonly registers: number
  readonly spills: number
  readonly stack: number
}

export function parsePtxas(log: string): Ptxas[] {
  const kernels: Ptxas[] = []
  let entry: { kernel: string; spills: number; stack: number } | undefined
  for (const line of log.split('\n')) {
    const compiling = /Compiling entry function '([^']+)'/.exec(line)
    if (compiling) entry = { kernel: readable(compiling[1]!), spills: 0, stack: 0 }
    if (!entry) continue
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores/.exec(line)
    if (stack) entry = { ...entry, stack: Number(stack[1]), spills: Number(stack[2]) }
    const used = /Used (\d+) registers/.exec(line)
    if (!used) continue
    kernels.push({ ...entry, registers: Number(used[1]) })
    entry = undefined
  }
  return kernels
}

/** The last name of a mangled one: _ZN4tile13engine_kernelENS_10EngineArgsE is engine_kernel. */
function readable(mangled: string): string {
  let name = mangled
  for (let at = mangled.startsWith('_ZN') ? 3 : mangled.startsWith('_Z') ? 2 : mangled.length; ; ) {
    const length = /^\d+/.exec(mangled.slice(at))?.[0]
    if (!length) return name
    at += length.length
    name = mangled.slice(at, at + Number(length))
    at += Number(length)
  }
}
