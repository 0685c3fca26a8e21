/** Samples of a source, a disassembly and a file of samples that were written by hand: every figure can be said in advance. */
import { describe, expect, it } from 'vitest'
import { byPhase, EmittedSource, readDisassembly, readSamples, report } from './samples-by-phase.ts'

const source = new EmittedSource(`  load_warps = 1, compute_warps = 2, epilogue_warps = 1, communicate_warps = 0
#line 60 TILE_FILE("models/mimo/graph.ts", layer_up_compute)
TILE_PHASE static void layer_up_compute(Warp& w, const At& at, Kept<16>& kept) {
  wait(w);
  multiply(w);
}
#line 60 TILE_FILE("models/mimo/graph.ts", layer_up_load)
TILE_PHASE static void layer_up_load(Warp& w, const At& at) {
  copy(w);
}
`)
const disassembly = `.text._ZN4tile11pack_kernelE:
	//## File "/x/engine.cu", line 1
        /*0000*/                   NOP ;
.text._ZN4tile13engine_kernelE:
	//## File "/x/device/cuda/matrix.h", line 7 inlined at "/x/layer_up_compute", line 62
	//## File "/x/layer_up_compute", line 62 inlined at "/x/engine.cu", line 90
	//## File "/x/engine.cu", line 90
        /*0000*/                   HMMA R0 ;
        /*0010*/                   LDS R1 ;
	//## File "/x/layer_up_load", line 61 inlined at "/x/engine.cu", line 90
	//## File "/x/engine.cu", line 90
        /*0020*/                   UBLKCP ;
	//## File "/x/device/cuda/warp.h", line 9
        /*0030*/                   BRA ;
`
const samples = `# 100 samples, 0 dropped
_ZN4tile13engine_kernelE 0 smsp__pcsamp_warps_issue_stalled_wait 30
_ZN4tile13engine_kernelE 0 smsp__pcsamp_warps_issue_stalled_wait_not_issued 20
_ZN4tile13engine_kernelE 10 smsp__pcsamp_warps_issue_stalled_short_scoreboard 10
_ZN4tile13engine_kernelE 20 smsp__pcsamp_warps_issue_stalled_selected 20
_ZN4tile13engine_kernelE 30 smsp__pcsamp_warps_issue_stalled_long_scoreboard 40
_ZN4tile11pack_kernelE 0 smsp__pcsamp_warps_issue_stalled_wait 1000
`

describe('samples by phase', () => {
  const instructions = readDisassembly(disassembly)
  const phases = byPhase(instructions, readSamples(samples), source)

  it('an instruction has all lines that it was inlined in; another kernel has none of them', () => {
    expect(instructions.size).toBe(4)
    expect(instructions.get(0x10)).toEqual({
      text: 'LDS R1 ',
      frames: [
        { file: 'matrix.h', line: 7 },
        { file: 'layer_up_compute', line: 62 },
        { file: 'engine.cu', line: 90 },
      ],
    })
  })

  it('are counted once, for the phase that the role calls and the line of it; what is in no phase stands by itself', () => {
    expect(phases).toEqual(
      new Map([
        [
          'layer_up_compute',
          new Map([
            [
              'multiply(w);',
              new Map([
                ['wait', 30],
                ['short_scoreboard', 10],
              ]),
            ],
          ]),
        ],
        ['layer_up_load', new Map([['copy(w);', new Map([['selected', 20]])]])],
        ['', new Map([['warp.h:9', new Map([['long_scoreboard', 40]])]])],
      ]),
    )
  })

  it('a line of another file that has the number of a line of a phase is none; of two phases it is the inner one', () => {
    const other = { file: 'warp.h', line: 61 }
    const [load, compute] = [
      { file: 'layer_up_load', line: 61 },
      { file: 'layer_up_compute', line: 62 },
    ]
    expect(source.ownFrame([other, load, compute])).toBe(load)
    expect(source.ownFrame([other, { file: 'graph.ts', line: 61 }])).toBeUndefined()
  })

  it('are refused of an engine whose lines are all of the author', () => {
    const plain = readDisassembly(disassembly.replaceAll(/layer_up_\w+/g, 'models/mimo/graph.ts'))
    expect(() => byPhase(plain, readSamples(samples), source)).toThrow('-DTILE_SAMPLED')
  })

  it('a phase lasts for its share of the samples, of one warp of its role', () => {
    // 40 of 100 samples, of two warps of four: 80 % of a round.
    expect(
      report(phases, source, 1000, 10)
        .split('\n')
        .map((l) => l.trim().replace(/ +/g, ' ')),
    ).toEqual([
      '80.00 layer_up_compute wait 60.00, short_scoreboard 20.00',
      '80.00 layer_up_load selected 80.00',
      '40.00 (waits that last, and what is in no phase) long_scoreboard 40.00',
    ])
    expect(report(phases, source, 1000, 10, 'layer_up_load')).toMatch(/80\.00 {2}copy\(w\); {2}selected 80\.00$/)
  })
})
