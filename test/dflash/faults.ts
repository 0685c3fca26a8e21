/** Known ways to feed a drafter wrongly (the text stays right), as changes of its weights or config. */
import { bf16, editedDrafter } from '../support/edited-drafter.ts'

const hidden = 384
const taps = 3

/** These need no other engine: the change of weights does what the fault would. */
export const weightFaults: Readonly<Record<string, () => string>> = {
  'the mask embedding is ignored': () => editedDrafter((t) => bf16(t, /^mask_embedding$/, () => 0)),
  'taps are off by one, each where the next belongs': () =>
    editedDrafter((t) => {
      const row = taps * hidden
      bf16(t, /^fc\.weight$/, (_, i, all) => all[i - (i % row) + (((i % row) + hidden) % row)]!)
    }),
  'keys are not normalised by their weights': () => editedDrafter((t) => bf16(t, /k_norm\.weight$/, () => 1)),
}

/**
 * These hardly move this drafter's acceptance (by less than what the gate allows), so the gate does not see them: they are
 * seen in its logits, the engine's by engine-oracle.test.ts, the reference's by test/drafter.
 */
export const logitFaults: Readonly<Record<string, () => string>> = {
  'the last tap is another layer': () =>
    editedDrafter((t) => bf16(t, /^fc\.weight$/, (v, i) => (i % (taps * hidden) >= (taps - 1) * hidden ? 0 : v))),
  'there are no sinks': () => editedDrafter((t) => bf16(t, /attention_sink_bias$/, () => -1e30)),
  'values miss their scale': () => editedDrafter((t) => bf16(t, /v_proj\.weight$/, (v) => v / valueScale)),
  "the context's norm has no gain": () => editedDrafter((t) => bf16(t, /^hidden_norm\.weight$/, () => 1)),
}
const valueScale = 0.612

const nothing = () => {}

/** These are other engines: each is built. */
export const configFaults: Readonly<Record<string, () => string>> = {
  'the last tap is taken after the final norm': () => editedDrafter(nothing, { tilec: { last_tap: 'post_norm' } }),
  'rotary over the whole head': () => editedDrafter(nothing, { partial_rotary_factor: 1 }),
  'another theta for context and block': () => editedDrafter(nothing, { tilec: { rope: 'backbone' } }),
  'another theta for the context alone': () => editedDrafter(nothing, { tilec: { rope: 'mixed' } }),
  'a window that is far too short': () =>
    editedDrafter(nothing, { sliding_window: 16, dflash_config: { ...dflashConfig, swa_window_size: 16 } }),
}

const dflashConfig = {
  target_layer_ids: [0, 3, 5],
  mask_token_id: 4095,
  block_size: 8,
  use_swa: true,
  swa_window_size: 256,
  backbone_rotary_base: 500000,
  attention_value_scale: 0.612,
  attention_sink_bias: true,
}
