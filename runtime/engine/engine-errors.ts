/**
 * What an engine process says when it fails, turned into diagnostics. The engine's short codes are listed in
 * codegen/device/engine/failure.h; sites and counters come with the names that the plan gave them.
 */
import type { Code } from '../../compiler/diagnostics/catalogue.ts'
import { type Diagnostic, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { Failure, Fault } from './wire.ts'

const codes: Readonly<Record<string, Code>> = {
  file: 'TILE6003',
  memory: 'TILE6004',
  gpu: 'TILE6005',
  nccl: 'TILE6017',
  plan: 'TILE6006',
  value: 'TILE6007',
  request: 'TILE6013',
  stopped: 'TILE6014',
}

/** The names of What::number, What::packets and What::sum (codegen/device/common/args.h). */
const notNumbers = 'logits that are no numbers'
const packets = 'packets'
const sum = 'the sum'

export const failureText = ({ code, text }: Failure): Diagnostic => diagnostic(codes[code] ?? 'TILE6010', text)

export function faultText(f: Fault): Diagnostic {
  const who = `rank ${f.rank}, SM ${f.sm}, ${f.role} warp ${f.warp}, round ${f.round}`
  if (f.what === notNumbers) {
    return diagnostic('TILE6015', `the logits after position ${f.object} are no numbers (round ${f.round})`)
  }
  const waited =
    f.what === packets
      ? `waited for packets of tile ${f.object} from rank ${f.got}`
      : f.what === sum
        ? `waited for the sum of tile ${f.object}, which rank ${f.got} owns`
        : f.expected === 0 && f.got === 0
          ? f.what
          : `waited for ${f.counter ? `counter '${f.counter}'` : f.what}: expected ${f.expected}, got ${f.got}`
  return diagnostic('TILE6011', `at '${f.site}': ${waited} (${who})`, {
    notes: f.report
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((message) => ({ message })),
  })
}

export function exitText(executable: string, how: string, stderr: string): Diagnostic {
  const notes = stderr.trim() === '' ? [] : [{ message: stderr.trim() }]
  const help = how.includes('SIGKILL') ? 'was it killed by hand, or by the system for want of memory?' : undefined
  return diagnostic('TILE6010', `the engine process ${how}`, { subject: executable, notes, help })
}
