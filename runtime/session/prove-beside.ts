/**
 * Proves a plan in a process of its own, so that who asks can go on: a large plan takes some seconds of one processor.
 *
 * Vocabulary: the *prover* is that process, prove-process.ts; plan and schedule travel to it as values, proof or findings come back.
 * Invariant: it ends with its answer, when it is called off, and with this process.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Diagnostic, DiagnosticError, InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import type { Proof } from '../../compiler/verify/prove-plan.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { endWithUs } from '../build/end-with-us.ts'

export interface ProofRequest {
  readonly plan: Plan
  readonly schedule: Schedule
}

export type ProofAnswer = { readonly proof: Proof } | { readonly findings: readonly Diagnostic[] }

/** The prover is TypeScript where this file is, which Node reads with the loader that runs tilec from its sources. */
const here = fileURLToPath(import.meta.url)
const prover = here.replace(/prove-beside(\.[jt]s)$/, 'prove-process$1')
const execArgv = here.endsWith('.ts') ? ['--import', 'tsx'] : []

/** Throws a DiagnosticError with the findings where there are any, and the signal's reason when it was called off. */
export async function proveBeside(request: ProofRequest, signal: AbortSignal): Promise<Proof> {
  signal.throwIfAborted()
  const child = fork(prover, { execArgv, serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const end = (): void => void child.kill('SIGKILL')
  let stderr = ''
  child.stderr!.on('data', (text) => {
    stderr = (stderr + String(text)).slice(-4000)
  })
  signal.addEventListener('abort', end)
  const ended = endWithUs(end)
  try {
    const answer = await new Promise<ProofAnswer | undefined>((resolve, reject) => {
      let said: ProofAnswer | undefined
      child.on('message', (message) => {
        said = message as ProofAnswer
      })
      child.on('error', reject)
      child.on('close', () => resolve(said))
      child.send(request, (error) => error && !signal.aborted && reject(error))
    })
    signal.throwIfAborted()
    if (answer === undefined) throw new InternalError(`the prover ended without an answer: ${stderr}`)
    if ('findings' in answer) throw new DiagnosticError(answer.findings)
    return answer.proof
  } finally {
    signal.removeEventListener('abort', end)
    ended()
  }
}
