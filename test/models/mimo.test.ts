import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { printGraph } from '../../compiler/graph/print-graph.ts'
import mimo from '../../models/mimo/graph.ts'
import { nanoConfig } from './nano-config.ts'

const preset = (name: string) => JSON.parse(readFileSync(new URL(`../../models/mimo/configs/${name}.json`, import.meta.url), 'utf8'))

test('nano', () => {
  console.log(printGraph(buildGraph(mimo, nanoConfig)))
  console.time('pro')
  const g = buildGraph(mimo, preset('mimo-v2.5-pro'))
  console.timeEnd('pro')
  console.log(g.nodes.length, g.params.length, buildGraph(mimo, preset('mimo-v2-flash')).nodes.length)
})
