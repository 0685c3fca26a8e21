/**
 * Recognises one pickle: the one that torch.save writes for `{'mask_token_id': int, 'embedding': tensor}`.
 *
 * A pickle is a program for a stack machine that may call anything. Nothing is called here: opcodes outside the handful
 * that torch emits for plain tensors end the reading, a global is only its name, and what a call would have been is a
 * node with a name and arguments. The result is compared with the one shape that is known; everything else is *foreign*.
 * Invariant: reading takes one pass and memory in proportion to the pickle.
 */

/** The tensor's description; its bytes are in the archive entry `data/<key>`. */
export interface PickledMask {
  readonly token: number
  readonly storage: string
  readonly key: string
  /** Elements of the storage, and the first of them that belongs to the tensor. */
  readonly elements: number
  readonly first: number
  readonly shape: readonly number[]
  readonly stride: readonly number[]
}

/** What the opcodes leave on the stack. Sequences come from tuples, pairs of a dict are kept in order. */
type Value =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'bool' }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'tuple'; readonly items: readonly Value[] }
  | { readonly kind: 'dict'; readonly items: Value[] }
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'stored'; readonly id: Value }
  | { readonly kind: 'call'; readonly callee: string; readonly args: readonly Value[] }
  | { readonly kind: 'mark' }

/** Names that the known shape uses; a pickle that names anything else is refused at that name. */
const known = /^(torch\._utils\._rebuild_(tensor_v2|parameter)|collections\.OrderedDict|torch\.[A-Za-z0-9]+Storage)$/

/** Why the pickle is foreign, in words that follow "the pickle". */
export class ForeignPickle extends Error {}
const foreign = (what: string): never => {
  throw new ForeignPickle(what)
}

/** Throws ForeignPickle. */
export function recognisePickledMask(bytes: Uint8Array): PickledMask {
  return maskOf(new Machine(bytes).run())
}

class Machine {
  readonly #view: DataView
  readonly #stack: Value[] = []
  readonly #memo = new Map<number, Value>()
  #at = 0

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  run(): Value {
    if (this.#take(1)[0] !== 0x80 || this.#take(1)[0] !== 2) foreign('is not of protocol 2')
    for (;;) {
      const at = this.#at
      const code = this.#take(1)[0]!
      if (code === 0x2e) break
      const op = opcodes[String.fromCharCode(code)]
      if (!op) foreign(`has opcode 0x${code.toString(16)} at byte ${at}, which no saved tensor needs`)
      op!(this)
    }
    if (this.#at !== this.bytes.length) foreign(`goes on after its end at byte ${this.#at}`)
    const result = this.pop()
    if (this.#stack.length > 0) foreign('leaves more than one value')
    return result
  }

  push(value: Value): void {
    this.#stack.push(value)
  }
  pop(): Value {
    return this.#stack.pop() ?? foreign('takes a value that there is not')
  }
  /** Everything above the last mark, which goes too. */
  popMarked(): Value[] {
    const mark = this.#stack.findLastIndex((v) => v.kind === 'mark')
    if (mark < 0) foreign('closes what was not opened')
    const [, ...items] = this.#stack.splice(mark)
    return items
  }
  /** Only names and texts can be read again: they cannot grow by it. */
  memorise(index: number): void {
    const top = this.#stack.at(-1)
    if (top?.kind === 'global' || top?.kind === 'text') this.#memo.set(index, top)
  }
  recall(index: number): Value {
    return this.#memo.get(index) ?? foreign('reads a value again that is no name')
  }
  uint(count: 1 | 2 | 4): number {
    const at = this.#at
    this.#take(count)
    return count === 1
      ? this.#view.getUint8(at)
      : count === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true)
  }
  text(length: number): string {
    return Buffer.from(this.#take(length)).toString('utf8')
  }
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at)
    if (end < 0) foreign('is cut short')
    const text = this.text(end - this.#at)
    this.#at++
    return text
  }
  addItems(items: readonly Value[]): void {
    const dict = this.#stack.at(-1)
    if (dict?.kind === 'dict' && items.length % 2 === 0) dict.items.push(...items)
    else foreign('puts items into what is no dict')
  }

  #take(count: number): Uint8Array {
    if (this.#at + count > this.bytes.length) foreign('is cut short')
    this.#at += count
    return this.bytes.subarray(this.#at - count, this.#at)
  }
}

const int = (value: number): Value => ({ kind: 'int', value })
const tuple = (items: readonly Value[]): Value => ({ kind: 'tuple', items })

/** By the byte's character, as the pickle module names them. */
const opcodes: Readonly<Record<string, (m: Machine) => void>> = {
  '(': (m) => m.push({ kind: 'mark' }),
  ')': (m) => m.push(tuple([])),
  J: (m) => m.push(int(m.uint(4) | 0)),
  K: (m) => m.push(int(m.uint(1))),
  M: (m) => m.push(int(m.uint(2))),
  Q: (m) => m.push({ kind: 'stored', id: m.pop() }),
  R: (m) => {
    const [args, callee] = [m.pop(), m.pop()]
    if (callee.kind !== 'global' || args.kind !== 'tuple') return foreign('calls what is no function')
    m.push({ kind: 'call', callee: callee.name, args: args.items })
  },
  X: (m) => m.push({ kind: 'text', value: m.text(m.uint(4)) }),
  c: (m) => {
    const name = `${m.line()}.${m.line()}`
    if (!known.test(name)) foreign(`names '${name.slice(0, 80)}'`)
    m.push({ kind: 'global', name })
  },
  h: (m) => m.push(m.recall(m.uint(1))),
  j: (m) => m.push(m.recall(m.uint(4))),
  q: (m) => m.memorise(m.uint(1)),
  r: (m) => m.memorise(m.uint(4)),
  s: (m) => {
    const [value, key] = [m.pop(), m.pop()]
    m.addItems([key, value])
  },
  t: (m) => m.push(tuple(m.popMarked())),
  u: (m) => m.addItems(m.popMarked()),
  '}': (m) => m.push({ kind: 'dict', items: [] }),
  '\x85': (m) => m.push(tuple([m.pop()])),
  '\x86': (m) => {
    const [second, first] = [m.pop(), m.pop()]
    m.push(tuple([first, second]))
  },
  '\x87': (m) => {
    const [third, second, first] = [m.pop(), m.pop(), m.pop()]
    m.push(tuple([first, second, third]))
  },
  '\x88': (m) => m.push({ kind: 'bool' }),
  '\x89': (m) => m.push({ kind: 'bool' }),
}

function maskOf(value: Value): PickledMask {
  if (value.kind !== 'dict' || value.items.length !== 4) return foreign('is not a dict of mask_token_id and embedding')
  const fields = new Map<string, Value>()
  for (let i = 0; i < value.items.length; i += 2) fields.set(textOf(value.items[i]!), value.items[i + 1]!)
  const [token, embedding] = [fields.get('mask_token_id'), fields.get('embedding')]
  if (!token || !embedding)
    return foreign(`is a dict of ${[...fields.keys()].map((k) => `'${k.slice(0, 40)}'`).join(' and ')}`)
  return { token: intOf(token), ...tensorOf(embedding) }
}

function tensorOf(value: Value): Omit<PickledMask, 'token'> {
  if (value.kind !== 'call') return foreign('has an embedding that is no tensor')
  // a parameter is a tensor, whether it needs a gradient, and its hooks
  const parameter = value.callee === 'torch._utils._rebuild_parameter'
  return plainTensorOf(parameter ? value.args[0] : value)
}

function plainTensorOf(value: Value | undefined): Omit<PickledMask, 'token'> {
  if (value?.kind !== 'call') return foreign('has an embedding that is no tensor')
  const [stored, first, shape, stride, grad, hooks, ...rest] = value.args
  const plain = grad?.kind === 'bool' && hooks?.kind === 'call' && hooks.callee === 'collections.OrderedDict'
  if (value.callee !== 'torch._utils._rebuild_tensor_v2' || !plain || hooks.args.length + rest.length > 0) {
    return foreign(`builds the embedding with ${value.callee}, not as a plain tensor`)
  }
  if (stored?.kind !== 'stored') return foreign('has a tensor without a storage')
  const [word, storage, key, device, elements, ...more] = itemsOf(stored.id)
  if (textOf(word) !== 'storage' || storage?.kind !== 'global' || more.length > 0) {
    return foreign('has a storage of another kind')
  }
  textOf(device)
  return {
    storage: storage.name,
    key: textOf(key),
    elements: intOf(elements),
    first: intOf(first),
    shape: itemsOf(shape).map(intOf),
    stride: itemsOf(stride).map(intOf),
  }
}

const textOf = (v: Value | undefined): string =>
  v?.kind === 'text' ? v.value : foreign('has something else for a text')
const intOf = (v: Value | undefined): number =>
  v?.kind === 'int' && v.value >= 0 ? v.value : foreign('has something else for a count')
const itemsOf = (v: Value | undefined): readonly Value[] =>
  v?.kind === 'tuple' ? v.items : foreign('has something else for a tuple')
