/** The command line itself: help, exit status, colours, explain, doctor. */
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../compiler/diagnostics/catalogue.ts'
import { packageVersion } from '../../runtime/session/compile-model.ts'
import { tilec } from '../support/terminal.ts'

const verbs = ['run', 'compile', 'check', 'inspect', 'explain', 'doctor']

describe('help', () => {
  it('lists every verb, on stdout', async () => {
    const { status, out, err } = await tilec(['--help'])
    expect(status).toBe(0)
    expect(err).toBe('')
    for (const verb of verbs) expect(out).toMatch(new RegExp(`^ {2}${verb} `, 'm'))
  })
  it.each(verbs)('of %s shows how to call it', async (verb) => {
    const { status, out } = await tilec([verb, '--help'])
    expect(status).toBe(0)
    expect(out).toContain(`Usage: tilec ${verb}`)
    expect(out).toMatch(/Examples:|Exit status/)
  })
  it('prints the version of the package', async () => {
    expect(await tilec(['--version'])).toMatchObject({ status: 0, out: `${packageVersion()}\n` })
  })
})

describe('a wrong command line ends with 2', () => {
  it.each([
    [[]],
    [['rnu', 'nano']],
    [['run']],
    [['run', 'nano', '--max-tokens', 'ten']],
    [['run', 'nano', '--temperature', '']],
    [['run', 'nano', '--nonsense']],
    [['inspect', 'nano', '--at', 'moon']],
  ])('%j', async (words) => {
    const { status, out } = await tilec(words)
    expect(status).toBe(2)
    if (words.length > 0) expect(out).toBe('')
  })
  it('says what was meant', async () => {
    expect((await tilec(['rnu'])).err).toContain('run')
  })
})

describe('findings end with 1 and name the way out', () => {
  it.each([
    [['check', 'nanno'], 'TILE5101', "did you mean 'nano'?"],
    [['check', 'no/such/graph.ts'], 'TILE5103', '--config'],
    [['check', 'nano', '--gpus', '3'], 'TILE5108', '1, 2, 4, 8'],
    [['check', 'nano', '--ctx', '0'], 'TILE5108', 'ctx is 0'],
    [['check', 'nano', '--config', 'no-such.json'], 'TILE5105', 'no-such.json'],
    [['check', 'nano', '--checkpoint', 'test'], 'TILE7002', 'config.json'],
    [['compile', 'nano', '--target', 'sm_80'], 'TILE5102', 'auto, host, sm_90a'],
    [['run', 'mimo-v2.5-pro', 'x', '--target', 'host'], 'TILE5109', '--checkpoint'],
    [['explain', 'TILE9999'], 'TILE5100', ''],
  ])('%j', async (words, code, text) => {
    const { status, out, err } = await tilec(words)
    expect(err).toContain(`error[${code}]`)
    expect(err).toContain(text)
    expect({ status, out }).toEqual({ status: 1, out: '' })
  })
})

describe('colours', () => {
  const wrong = ['check', 'nanno']
  it('are for terminals only', async () => {
    const plain = await tilec(wrong)
    const coloured = await tilec(wrong, { tty: true })
    expect(stripVTControlCharacters(plain.err)).toBe(plain.err)
    expect(coloured.err).not.toBe(plain.err)
    expect(stripVTControlCharacters(coloured.err)).toBe(plain.err)
  })
  it('respect NO_COLOR and FORCE_COLOR', async () => {
    const plain = await tilec(wrong)
    expect((await tilec(wrong, { tty: true, env: { NO_COLOR: '1' } })).err).toBe(plain.err)
    expect((await tilec(wrong, { env: { FORCE_COLOR: '1' } })).err).not.toBe(plain.err)
  })
})

describe('explain', () => {
  it('prints title and text', async () => {
    const { status, out } = await tilec(['explain', 'tile7024'])
    expect(status).toBe(0)
    expect(out).toContain(catalogue.TILE7024!.title)
    expect(out).toContain(catalogue.TILE7024!.explain)
  })
  it('lists all codes', async () => {
    const { out } = await tilec(['explain', '--json'])
    expect(JSON.parse(out)).toHaveLength(Object.keys(catalogue).length)
  })
})

describe('doctor', () => {
  it('says what works, as text and as JSON', async () => {
    const { status, out } = await tilec(['doctor', '--json'])
    const { findings, targets } = JSON.parse(out)
    expect(findings.map((f: { what: string }) => f.what)).toEqual(
      expect.arrayContaining(['Node', 'C++ compiler', 'nvcc', 'GPUs', 'memory', 'build cache']),
    )
    for (const f of findings) if (f.state === 'missing') expect(f.help).toBeTruthy()
    expect(status).toBe(targets.host || targets.sm_90a ? 0 : 1)
    expect((await tilec(['doctor'])).out).toMatch(/host: engines can/)
  })
})
