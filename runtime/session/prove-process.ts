/** The process that prove-beside.ts starts: proves the one plan that it is sent, answers, and ends. */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import type { ProofAnswer, ProofRequest } from './prove-beside.ts'

process.once('message', ({ plan, schedule }: ProofRequest) => {
  const session = new Session()
  const proof = provePlan(plan, { session, schedule })
  const answer: ProofAnswer = session.failed ? { findings: session.diagnostics } : { proof }
  process.send!(answer, () => process.disconnect())
})
