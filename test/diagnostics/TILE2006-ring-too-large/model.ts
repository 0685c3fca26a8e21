import { bf16, defineModel, dim, linear, schedule, weight } from 'tilec'
import { z } from 'zod'

export default defineModel('example', z.strictObject({}), (m) => {
  const table = weight('embed', [dim('token', 64), dim('hidden', 32)], bf16)
  m.logits(linear(m.embed(table), table))
})

const depth = 4
export const schedules = {
  sm_90a: schedule`
    role load 1 warp regs 24 | role compute 16 warps regs 96 | role epilogue 2 warps | role communicate 1 warp
    ring weights ${depth} x 64 KiB
  `,
}
