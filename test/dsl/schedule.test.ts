import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Problem } from '../../dsl/problem.ts'
import { readSchedule, scheduleOf } from '../../dsl/schedule.ts'
import {
  exchangeShots,
  exchangeTypes,
  printSchedule,
  roleNames,
  type Schedule,
  scheduleJson,
  withoutSpans,
} from '../../dsl/schedule-ir.ts'
import { type ScheduleText, schedule, scheduleFile } from '../../dsl/schedule-text.ts'

function read(source: ScheduleText | Schedule) {
  const problems: Problem[] = []
  const ir = readSchedule(source, (p) => problems.push(p))
  return { ir, problems }
}
/** What a finding's span covers, and its place, as an editor counts. */
function underlined(text: string, p: Problem | undefined) {
  const span = p!.span!
  const before = text.slice(0, span.start).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1, text: text.slice(span.start, span.end) }
}

const complete = `
  role load 1 warp regs 24 | role compute 16 warps regs 96 | role epilogue 2 warps
  role communicate 1 warp   # relays
  ring weights 4 x 52 KiB ; join depth 4 ; experts 6 eighths first
  phase qkv        { tile 16 rows, split k 16 }
  phase expert.down {
    tile 16 rows, split rows 16
    group 8 experts
  }
  phase attend { span 64 keys }
  phase router { stage by chunk }
  fuse rmsNorm -> qkv, router ; rope, kvWrite -> qkv ;
    silu -> expert.up
  exchange as bf16 in two shots
  while router prefetch next.qkv into l2
  sms 132
`

test('text reads into data', () => {
  const { ir, problems } = read(scheduleFile('s.sched', complete))
  expect(problems).toEqual([])
  expect(withoutSpans(ir!)).toEqual(
    scheduleOf({
      roles: {
        load: { warps: 1, registers: 24 },
        compute: { warps: 16, registers: 96 },
        epilogue: { warps: 2 },
        communicate: { warps: 1 },
      },
      ring: { name: 'weights', depth: 4, pageBytes: 52 * 1024 },
      joinDepth: 4,
      earlyEighths: 6,
      phases: {
        qkv: { tile: 16, split: { by: 'k', parts: 16 } },
        'expert.down': { tile: 16, split: { by: 'rows', parts: 16 }, group: 8 },
        attend: { keys: 64 },
        router: { stage: 'chunk' },
      },
      fuse: [
        { what: ['rmsNorm'], into: ['qkv', 'router'] },
        { what: ['rope', 'kvWrite'], into: ['qkv'] },
        { what: ['silu'], into: ['expert.up'] },
      ],
      exchangeAs: 'bf16',
      shots: 2,
      prefetch: [{ phase: 'router', what: 'next.qkv', into: 'l2' }],
      sms: 132,
    }),
  )
})

test('how sums travel and what they travel as are said together or apart', () => {
  const said = (text: string) => {
    const { ir } = read(scheduleFile('s', complete.replace('exchange as bf16 in two shots', text)))
    return [ir!.exchangeAs?.value, ir!.shots?.value, /exchange .*/.exec(printSchedule(ir!))?.[0]]
  }
  expect(said('exchange as f32 in one shot')).toEqual(['f32', 1, 'exchange as f32 in one shot'])
  expect(said('exchange in two shots | exchange as exact')).toEqual(['exact', 2, 'exchange as exact in two shots'])
  expect(said('exchange in two shots')).toEqual([undefined, 2, 'exchange in two shots'])
  expect(said('exchange as bf16')).toEqual(['bf16', undefined, 'exchange as bf16'])
})

const name = fc.stringMatching(/^[a-z][a-zA-Z0-9_]{0,6}(\.[a-z0-9]{1,4})?$/)
const names = fc.array(name, { minLength: 1, maxLength: 3 })
const count = fc.integer({ min: 1, max: 64 })
const maybe = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: undefined })
const defined = (o: object) => JSON.parse(JSON.stringify(o))
const spec = fc
  .record({
    compute: fc.integer({ min: 1, max: 24 }),
    registers: maybe(fc.constantFrom(24, 40, 64)),
    ring: fc.record({ name, depth: fc.integer({ min: 2, max: 6 }), pageBytes: fc.constantFrom(1024, 16, 2064, 32768) }),
    joinDepth: maybe(count),
    earlyEighths: maybe(fc.integer({ min: 1, max: 7 })),
    phases: fc.dictionary(
      name,
      fc.record({
        tile: maybe(fc.constant(16)),
        split: maybe(fc.record({ by: fc.constantFrom('k', 'rows'), parts: count })),
        group: maybe(count),
        keys: maybe(fc.constant(64)),
        balance: maybe(fc.constant('flat' as const)),
        stage: maybe(fc.constant('chunk' as const)),
      }),
      { maxKeys: 4, noNullPrototype: true },
    ),
    fuse: fc.array(fc.record({ what: names, into: names }), { maxLength: 3 }),
    exchangeAs: maybe(fc.constantFrom(...exchangeTypes)),
    shots: maybe(fc.constantFrom(...exchangeShots)),
    prefetch: fc.array(fc.record({ phase: name, what: name, into: fc.constant('l2') }), { maxLength: 2 }),
    sms: maybe(count),
  })
  .map(({ compute, registers, ...rest }) =>
    scheduleOf(
      defined({
        ...rest,
        roles: {
          load: { warps: 1 },
          compute: { warps: compute, registers },
          epilogue: { warps: 1 },
          communicate: { warps: 1 },
        },
      }),
    ),
  )

test('reading printed text gives the same schedule', () => {
  fc.assert(
    fc.property(spec, (s) => {
      const { ir, problems } = read(scheduleFile('s', printSchedule(s)))
      expect(problems).toEqual([])
      expect(withoutSpans(ir!)).toEqual(s)
      expect(printSchedule(ir!)).toBe(printSchedule(s))
    }),
    { numRuns: 200 },
  )
})

test('JSON of a schedule passes its schema', () => {
  fc.assert(
    fc.property(spec, (s) => {
      expect(scheduleJson.parse(JSON.parse(JSON.stringify(withoutSpans(s))))).toEqual(s)
    }),
    { numRuns: 30 },
  )
})

test('any text is either read or refused at a place inside it', () => {
  const words = fc.constantFrom(
    'role',
    'load',
    'compute',
    '1',
    '16',
    'warps',
    'ring',
    'x',
    'KiB',
    '{',
    '}',
    '|',
    '\n',
    ';',
    '->',
    'fuse',
    'phase',
    ',',
    'tile',
    'rows',
    '@',
    '#',
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 20 }), (list) => {
      const text = list.join(' ')
      const { ir, problems } = read(scheduleFile('s', text))
      expect(ir === undefined).toBe(problems.length > 0)
      for (const { code, span } of problems) {
        if (code === 'TILE2008') continue // what is missing is nowhere
        expect(span!.start).toBeGreaterThanOrEqual(0)
        expect(span!.end).toBeLessThanOrEqual(text.length)
      }
    }),
    { numRuns: 300 },
  )
})

describe('a syntax error says where and what', () => {
  const cases: [text: string, place: ReturnType<typeof underlined>, message: RegExp, help?: string][] = [
    [
      'role load 1 wrap',
      { line: 1, column: 13, text: 'wrap' },
      /^expected 'warp' or 'warps', found 'wrap'$/,
      "did you mean 'warp'?",
    ],
    [
      'sms 2\n  rign weights 4 x 1 KiB',
      { line: 2, column: 3, text: 'rign' },
      /'ring'.*found 'rign'$/,
      "did you mean 'ring'?",
    ],
    ['phase qkv { tile 16 cols }', { line: 1, column: 21, text: 'cols' }, /^expected 'rows', found 'cols'$/],
    ['phase qkv { tile 16 rows', { line: 1, column: 25, text: '' }, /'}'.*found the end$/],
    [
      'ring w 4 x 52 MiB',
      { line: 1, column: 15, text: 'MiB' },
      /^expected 'B' or 'KiB', found 'MiB'$/,
      "did you mean 'KiB'?",
    ],
    [
      'exchange as bf16 in three shots',
      { line: 1, column: 21, text: 'three' },
      /^expected 'one' or 'two', found 'three'$/,
    ],
    [
      'exchange in two shot',
      { line: 1, column: 17, text: 'shot' },
      /^expected 'shots', found 'shot'$/,
      "did you mean 'shots'?",
    ],
    ['fuse silu => up', { line: 1, column: 11, text: '=' }, /'->'.*found '='$/],
  ]
  test.each(cases)('%s', (text, place, message, help) => {
    const { problems } = read(scheduleFile('s', text))
    expect(problems.map((p) => p.code)).toEqual(['TILE2001'])
    expect(underlined(text, problems[0])).toEqual(place)
    expect(problems[0]!.message).toMatch(message)
    expect(problems[0]!.help).toBe(help)
  })
})

describe('spans of a template land in its file', () => {
  const prefix = 'export const s = schedule`'
  const place = (file: string) => {
    const pattern = /(?<=`|\})[^`$]*(?=\$\{|`)/g
    return [...file.matchAll(pattern)].map((m) => ({ start: m.index, source: m[0] }))
  }
  const cook = (chunks: { source: string }[]) => {
    const raw = chunks.map((c) => c.source.replaceAll('\r\n', '\n'))
    return Object.assign([...raw], { raw }) as unknown as TemplateStringsArray
  }
  test.each(['\n', '\r\n'])('around an interpolation, with line end %j', (end) => {
    const file = `${prefix}role load \${warps} warp${end}ring weights \${depth} x 1 KiBs\``
    const chunks = place(file)
    const { problems } = read(schedule.at('m.ts', chunks)(cook(chunks), 1234567, 2))
    expect(file.slice(problems[0]!.span!.start, problems[0]!.span!.end)).toBe('KiBs')
  })
  test('an interpolated number is all of its expression', () => {
    const file = `${prefix}role load \${warps} warp\nring weights \${depth} x 1 KiB\``
    const chunks = place(file)
    const { problems } = read(schedule.at('m.ts', chunks)(cook(chunks), 40, 2))
    const spanned = problems.find((p) => p.code === 'TILE2004')
    expect(file.slice(spanned!.span!.start, spanned!.span!.end)).toBe(`role load \${warps} warp`)
  })
  test('what is no count is refused at its expression', () => {
    const file = `${prefix}sms \${n}\``
    const chunks = place(file)
    const { problems } = read(schedule.at('m.ts', chunks)(cook(chunks), 1.5))
    const refused = problems.find((p) => p.code === 'TILE2009')
    expect(refused!.message).toBe('a schedule takes counts, got 1.5')
    expect(file.slice(refused!.span!.start, refused!.span!.end)).toBe(`\${n}`)
  })
})

describe('what needs only the schedule is checked', () => {
  const roles = 'role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp'
  const ring = 'ring weights 4 x 32 KiB'
  const cases: [text: string, code: string, message: string][] = [
    [`${roles}\n${ring}\nrole loda 1 warp`, 'TILE2002', `unknown role 'loda'; roles are ${roleNames.join(', ')}`],
    [`${roles}\n${ring}\nrole load 2 warps`, 'TILE2003', "role 'load' is given twice"],
    [`${roles}\n${ring}\nexchange as f32\nexchange as bf16`, 'TILE2003', 'the exchange type is given twice'],
    [
      `${roles}\n${ring}\nexchange as f32 in one shot\nexchange in two shots`,
      'TILE2003',
      'the number of shots is given twice',
    ],
    [
      `${roles}\n${ring}\nexperts 5 eighths first | experts 4 eighths first`,
      'TILE2003',
      'what comes first of the experts is given twice',
    ],
    [`${roles}\n${ring}\nphase a { tile 16 rows, tile 16 rows }`, 'TILE2003', "tile of phase 'a' is given twice"],
    [
      `${roles.replace('4', '30')}\n${ring}`,
      'TILE2004',
      'the roles have 33 warps together, but a block has at most 32',
    ],
    [
      `${roles.replace('4 warps', '20 warps regs 128')}\n${ring}`,
      'TILE2005',
      'the roles use 84224 registers together, but an SM has 65536',
    ],
    [
      `${roles}\nring weights 8 x 32 KiB`,
      'TILE2006',
      'the ring takes 8 x 32768 = 262144 bytes, but a block has 232448 bytes of shared memory',
    ],
    [
      `${roles.replace('4 warps', '4 warps regs 100')}\n${ring}`,
      'TILE2007',
      "regs of role 'compute' must be a multiple of 8 from 24 to 256, got 100",
    ],
    [
      `${roles}\n${ring}\nphase a { tile 32 rows }`,
      'TILE2007',
      "tile of phase 'a' must be 16 rows, the multiplier has no other, got 32",
    ],
    [
      `${roles.replace('epilogue 1 warp', 'epilogue 2 warps')}\n${ring}\njoin depth 3`,
      'TILE2007',
      "the join depth must be a multiple of the 2 warps of role 'epilogue', got 3",
    ],
    [
      `${roles}\n${ring}\nexperts 8 eighths first`,
      'TILE2007',
      'the eighths of the experts that come first must be 1 to 7, got 8',
    ],
    [roles, 'TILE2008', 'the schedule has no ring'],
    [
      `${ring}\n${roles.replace('role epilogue 1 warp | ', '')}`,
      'TILE2008',
      `the schedule has no role 'epilogue'; it needs ${roleNames.join(', ')}`,
    ],
  ]
  test.each(cases)('%s', (text, code, message) => {
    const { ir, problems } = read(scheduleFile('s', text))
    expect(ir).toBeUndefined()
    expect(problems.map((p) => [p.code, p.message])).toEqual([[code, message]])
    expect(problems[0]!.span).toBeDefined()
  })
})
