/**
 * How MiMo runs on an SM: one schedule for each target, for the published sizes and for nano.
 *
 * The host back end mirrors the device with fewer warps and two SMs a rank, so that every hand-over between SMs, ranks
 * and roles still happens. nano's rows are too short to be cut into sixteen parts.
 */
import { type ScheduleText, schedule } from '../../dsl/index.ts'
import type { MimoConfig } from './config.ts'

const large = {
  sm_90a: schedule`
    role load 1 warp | role compute 12 warps regs 128 | role epilogue 2 warps | role communicate 1 warp
    ring weights 3 x 51 KiB
    phase qkv         { tile 16 rows, split k 12 }
    phase o           { tile 16 rows, split k 8 }
    phase router      { tile 16 rows, split k 12, stage by chunk }
    phase dense.up    { tile 16 rows, split k 12 }
    phase dense.down  { tile 16 rows, split k 8 }
    phase expert.up   { tile 16 rows, split k 12, balance flat }
    phase expert.down { tile 16 rows, split rows 12 }
    phase attend      { span 64 keys }
    phase head        { tile 16 rows, split k 12 }
    fuse norm -> qkv, router, expert.up, dense.up, head ; rope, map -> qkv ; map -> o, dense.up, dense.down, expert.up, expert.down
    exchange as bf16
  `,
  host: schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 2 x 52 KiB
    phase expert.up   { tile 16 rows, split k 4, balance flat }
    phase expert.down { tile 16 rows, split rows 4 }
    exchange as f32
    sms 32
  `,
}

const small = {
  sm_90a: schedule`
    role load 1 warp regs 24 | role compute 16 warps regs 96 | role epilogue 2 warps | role communicate 1 warp
    ring weights 4 x 32 KiB
    phase qkv         { tile 16 rows, split k 4 }
    phase expert.up   { tile 16 rows, split k 4, balance flat }
    phase expert.down { tile 16 rows, split rows 16, group 2 experts }
    phase attend      { span 64 keys }
    exchange as exact
  `,
  host: schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    phase expert.up   { tile 16 rows, split k 4, balance flat }
    phase expert.down { tile 16 rows, split rows 4 }
    exchange as exact
    sms 2
  `,
}

export const schedules = (config: MimoConfig): { readonly [target: string]: ScheduleText } =>
  config.hidden < 1024 ? small : large
