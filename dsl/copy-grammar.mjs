// Part of `npm run build`: the generated parser is JavaScript, which tsc does not copy to dist.
import { copyFileSync } from 'node:fs'

const here = new URL('./schedule-grammar.js', import.meta.url)
copyFileSync(here, new URL('../dist/dsl/schedule-grammar.js', import.meta.url))
