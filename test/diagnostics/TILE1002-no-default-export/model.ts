import { dim } from 'tilec'

export const hidden = dim('hidden', 384)
