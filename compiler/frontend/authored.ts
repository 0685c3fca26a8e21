/**
 * Runs code that an author wrote. What it throws is a finding at the innermost call that it left, not a crash of tilec;
 * a broken invariant of tilec itself goes through.
 */
import { spanOfThrown } from '../../dsl/where.ts'
import { InternalError, type Session } from '../diagnostics/diagnostic.ts'

/** The result of `run`; undefined when it threw, which is reported. `what` names it: "model 'mimo'". */
export function authored<T>(what: string, session: Session, run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof InternalError) throw error
    const message = error instanceof Error ? error.message : String(error)
    session.report('TILE1005', `${what} threw: ${message}`, { span: spanOfThrown(error) })
    return undefined
  }
}
