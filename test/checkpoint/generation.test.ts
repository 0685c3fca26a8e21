import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../runtime/checkpoint/checkpoint.ts'
import { generationDefaults } from '../../runtime/checkpoint/generation.ts'
import { findings } from './temporary.ts'

const of = (config: object, generationConfig?: object) =>
  generationDefaults({ folder: 'x', config, ...(generationConfig && { generationConfig }) } as Checkpoint)

describe('generation defaults', () => {
  it('take generation_config before config', () => {
    expect(of({ eos_token_id: 1 }, { eos_token_id: [1, 2], temperature: 1, top_p: 0.95 })).toEqual({
      endTokens: [1, 2],
      temperature: 1,
      topP: 0.95,
    })
    expect(of({ eos_token_id: 1 }, { temperature: null })).toEqual({ endTokens: [1] })
    expect(of({ eos_token_id: 7 })).toEqual({ endTokens: [7] })
  })
  it('refuse a checkpoint that never ends, and nonsense', () => {
    expect(findings(() => of({ eos_token_id: null })).join()).toContain('TILE7027 x: neither')
    expect(findings(() => of({ eos_token_id: 'x' }, { top_p: 2 }))).toHaveLength(2)
  })
})
