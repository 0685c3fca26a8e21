/** Asks a model where its params lie: one binding for each, in the order of the graph; params without a rule are errors. */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Param } from '../../dsl/graph.ts'
import type { Binding, WeightSource } from '../../dsl/weights.ts'

export function bindParams<Config>(
  weights: WeightSource<Config>,
  params: readonly Param[],
  config: Config,
): readonly Binding[] {
  const session = new Session()
  const bindings: Binding[] = []
  for (const param of params) {
    const binding = weights.bind(param, config)
    if (binding) bindings.push(binding)
    else {
      session.report('TILE7019', `the model's weights have no rule for the param '${param.name}'`, {
        span: param.span,
        help: 'add one to weights.bind: it says which checkpoint tensors the param is read from',
      })
    }
  }
  session.throwIfFailed()
  return bindings
}
