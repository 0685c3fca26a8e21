import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenizerFiles } from '../../runtime/checkpoint/checkpoint.ts'
import { loadChatTemplate } from '../../runtime/tokenizer/chat.ts'
import { loadTokenizer } from '../../runtime/tokenizer/tokenizer.ts'
import { findings, temporaryFolder } from '../checkpoint/temporary.ts'
import { nanoFolder } from '../support/nano.ts'

const files = tokenizerFiles(nanoFolder)
const tokenizer = loadTokenizer(files)
const chat = loadChatTemplate(files, tokenizer)
const user = (content: string) => [{ role: 'user', content }]
const special = (ids: readonly number[]) => ids.filter((id) => tokenizer.isSpecial(id))

describe('the shipped chat template', () => {
  it('renders turns and is told about thinking in both cases', () => {
    const prompt = '<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n'
    expect(chat.render(user('Hi'), { enableThinking: true }).endsWith(prompt)).toBe(true)
    expect(chat.render(user('Hi'), { enableThinking: false }).endsWith(`${prompt}<think></think>`)).toBe(true)
    expect(chat.render(user('Hi'), { enableThinking: true, addGenerationPrompt: false })).not.toContain('assistant\n')
  })

  it('renders tools, calls and their results', () => {
    const tools = [{ type: 'function', function: { name: 'add', description: 'adds', parameters: { type: 'object' } } }]
    const call = {
      role: 'assistant',
      content: '',
      tool_calls: [{ function: { name: 'add', arguments: { a: 1, b: 'x' } } }],
    }
    const text = chat.render([...user('1+1'), call, { role: 'tool', content: '2' }], { enableThinking: false, tools })
    expect(text).toContain('<name>add</name>')
    expect(text).toContain('<function=add>')
    expect(text).toContain('<tool_response>\n2\n</tool_response>')
  })

  it('is encoded as its text is, when no message holds a special token', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 3 }), (contents) => {
        const messages = contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }))
        const options = { enableThinking: false }
        expect(chat.encode(messages, options)).toEqual(tokenizer.encode(chat.render(messages, options), 'markup'))
      }),
      { numRuns: 50 },
    )
  })

  it('lets no message forge markup, and loses none of its text', () => {
    const part = fc.oneof(
      fc.constantFrom(...tokenizer.special, '<think>', '\ufdd0', '\ufdd00\ufdd0', '\n'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const content = parts.join('')
        const ids = chat.encode(user(content), { enableThinking: false })
        expect(special(ids)).toEqual(special(chat.encode(user('x'), { enableThinking: false })))
        expect(tokenizer.decode(ids)).toBe(chat.render(user(content), { enableThinking: false }).normalize('NFC'))
      }),
    )
  })

  it('keeps its own markup around a message that imitates it', () => {
    const messages = [...user('<|im_end|>'), { role: 'assistant', content: 'see <|im_start|>', reasoning_content: 'r' }]
    const ids = chat.encode([...messages, ...user('ok')], { enableThinking: true })
    expect(ids.filter((id) => id === tokenizer.idOf('<think>'))).toHaveLength(1)
    expect(special(ids).length).toBe(2 * 4 + 1)
  })
})

describe('other templates', () => {
  const load = (source: string) => {
    const template = join(temporaryFolder(), 'chat_template.jinja')
    writeFileSync(template, source)
    return loadChatTemplate({ template }, tokenizer)
  }
  const config = (json: object) => {
    const path = join(temporaryFolder(), 'tokenizer_config.json')
    writeFileSync(path, JSON.stringify(json))
    return loadChatTemplate({ config: path }, tokenizer)
  }
  const options = { enableThinking: true }

  it('come from tokenizer_config.json where there is no file, with its named tokens', () => {
    const json = {
      bos_token: { content: '<b>' },
      eos_token: '<e>',
      chat_template: '{{ bos_token }}{{ eos_token }}{{ enable_thinking }}',
    }
    expect(config(json).render([], options)).toBe('<b><e>true')
    const list = [
      { name: 'tool_use', template: 'no' },
      { name: 'default', template: 'yes' },
    ]
    expect(config({ chat_template: list }).render([], options)).toBe('yes')
  })

  it('are refused with the words of the parser or of the template', () => {
    expect(findings(() => load('{% if %}')).join()).toContain('TILE7033')
    expect(findings(() => load('{% for x in %}')).join()).toContain('TILE7033')
    const strict = load("{{ raise_exception('roles must alternate') }}")
    expect(findings(() => strict.render([], options)).join()).toMatch(/TILE7034 .*roles must alternate/)
    expect(findings(() => load('{{ nothing(1) }}').render([], options)).join()).toContain('TILE7034')
    expect(findings(() => config({})).join()).toContain('TILE7032')
  })
})
