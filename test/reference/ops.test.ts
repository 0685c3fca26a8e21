import { describe, expect, it } from 'vitest'
import type { Frame } from '../../compiler/reference/frame.ts'
import { evaluateNode } from '../../compiler/reference/ops.ts'
import { paramsFromArrays } from '../../compiler/reference/params.ts'
import { type Dim, dim, sizeOf } from '../../dsl/dim.ts'
import { input, sigmoid } from '../../dsl/expr.ts'
import type { GraphNode } from '../../dsl/graph.ts'

interface Given {
  readonly inputs?: readonly { readonly dims: readonly Dim[]; readonly values: readonly number[] }[]
  readonly params?: Record<string, { readonly dims: readonly Dim[]; readonly values: readonly number[] }>
  readonly positions?: readonly number[]
}

function evaluate(node: object, given: Given): { value: number[]; choices: number[] } {
  const { inputs = [], params = {}, positions = [0] } = given
  let choices: Int32Array = new Int32Array()
  const unused = () => {
    throw new Error('not part of this test')
  }
  const frame: Frame = {
    rows: positions.map((position) => ({ token: 0, position })),
    params: paramsFromArrays(
      new Map(
        Object.entries(params).map(([n, p]) => [n, { values: Float64Array.from(p.values), first: p.dims[0]!.size }]),
      ),
    ),
    input: (i) => Float64Array.from(inputs[i]!.values),
    inputDims: (i) => inputs[i]!.dims,
    paramDims: (name) => params[name]!.dims,
    choose: (experts) => {
      choices = experts
    },
    choices: unused,
    cache: unused,
    external: unused,
  }
  const value = evaluateNode(
    { id: 0, scope: '', inputs: inputs.map((_, i) => i), ...node } as unknown as GraphNode,
    frame,
  )
  return { value: [...value], choices: [...choices] }
}

const D = dim('d', 4)
const E = dim('expert', 4)
const x = input(0)

describe('reference ops', () => {
  it('rope turns pairs (i, i + rotary/2) and leaves the rest alone', () => {
    const { value } = evaluate(
      { op: 'rope', dims: [D], theta: 10000, rotary: 2 },
      { inputs: [{ dims: [D], values: [1, 0, 5, 6, 0, 1, 7, 8] }], positions: [0, 2] },
    )
    expect(value.slice(0, 4)).toEqual([1, 0, 5, 6])
    expect(value.slice(4)).toEqual([expect.closeTo(-Math.sin(2), 14), expect.closeTo(Math.cos(2), 14), 7, 8])
  })

  it('rope uses theta^(-2i/rotary) for pair i', () => {
    const { value } = evaluate(
      { op: 'rope', dims: [D], theta: 100, rotary: 4 },
      { inputs: [{ dims: [D], values: [1, 1, 0, 0] }], positions: [3] },
    )
    expect(value).toEqual([Math.cos(3), Math.cos(0.3), Math.sin(3), Math.sin(0.3)].map((v) => expect.closeTo(v, 14)))
  })

  it('slice takes a range of an inner dim and keeps what surrounds it', () => {
    const [A, B, C] = [dim('a', 2), dim('b', 3), dim('c', 2)]
    const { value } = evaluate(
      { op: 'slice', dims: [A, dim('b', 2), C], dim: 'b', start: 1, count: 2 },
      { inputs: [{ dims: [A, B, C], values: Array.from({ length: sizeOf([A, B, C]) }, (_, i) => i) }] },
    )
    expect(value).toEqual([2, 3, 4, 5, 8, 9, 10, 11])
  })

  it('norm takes its statistic over the dims of the weight', () => {
    const [HEADS, W] = [dim('heads', 2), dim('w', 2)]
    const { value } = evaluate(
      { op: 'norm', dims: [HEADS, W], param: 'w', stat: x.mul(x).node, apply: x.div(input(1)).mul(input(2)).node },
      { inputs: [{ dims: [HEADS, W], values: [1, 3, 2, 2] }], params: { w: { dims: [W], values: [10, 100] } } },
    )
    expect(value).toEqual([2, 60, 5, 50])
  })

  const route = {
    op: 'route',
    dims: [dim('slot', 2)],
    bias: 'bias',
    score: sigmoid(x).node,
    choose: x.add(input(1)).node,
    topK: 2,
    epsilon: 0,
    factor: 1,
  }
  it('route gives ties to the lower expert and weights by the score without bias', () => {
    const given = {
      inputs: [{ dims: [E], values: [0, 0, 0, 0] }],
      params: { bias: { dims: [E], values: [1, 2, 2, 2] } },
    }
    expect(evaluate({ ...route, normalise: false }, given)).toEqual({ choices: [1, 2], value: [0.5, 0.5] })
    expect(evaluate({ ...route, normalise: true, factor: 3 }, given).value).toEqual([1.5, 1.5])
  })

  it('route compares choices as float32, where a large bias makes ties', () => {
    const { choices } = evaluate(
      { ...route, normalise: true },
      {
        inputs: [{ dims: [E], values: [0, 1e-6, 2e-6, -9] }],
        params: { bias: { dims: [E], values: [71, 71, 71, 71] } },
      },
    )
    expect(choices).toEqual([0, 1])
  })

  it('route orders slots by falling choice', () => {
    const { choices } = evaluate(
      { ...route, normalise: true },
      { inputs: [{ dims: [E], values: [3, 1, 2, 0] }], params: { bias: { dims: [E], values: [0, 0, 5, 0] } } },
    )
    expect(choices).toEqual([2, 0])
  })

  it('refuses a sharded graph', () => {
    expect(() => evaluate({ op: 'allReduce', dims: [D] }, {})).toThrow('sharded graph')
  })
})
