import { describe, expect, it } from 'vitest'
import { readAdminJson } from './usage-files/admin-json.ts'
import { csvRows } from './usage-files/csv-rows.ts'
import { readUsageCsv } from './usage-files/csv-file.ts'

const anthropicUsage = {
  data: [
    {
      starting_at: '2026-11-19T00:00:00Z',
      ending_at: '2026-11-20T00:00:00Z',
      results: [
        {
          model: 'claude-opus-4-1',
          api_key_id: 'apikey_1',
          workspace_id: 'wrkspc_1',
          service_tier: 'standard',
          uncached_input_tokens: 1000,
          cache_read_input_tokens: 20_000,
          cache_creation: { ephemeral_1h_input_tokens: 1000, ephemeral_5m_input_tokens: 3000 },
          output_tokens: 500,
        },
        { model: 'claude-opus-4-1', api_key_id: 'apikey_1', service_tier: 'batch', uncached_input_tokens: 1 },
        { model: null, api_key_id: null, uncached_input_tokens: 5 },
        { model: 'm', uncached_input_tokens: 1.5 },
        7,
      ],
    },
    { starting_at: 'yesterday', results: [{ model: 'm' }] },
    { starting_at: '2026-11-20T00:00:00Z' },
  ],
  has_more: true,
}

describe('what providers export', () => {
  it('H12: Anthropic says its usage with cached tokens apart; tiers of one model and key are one line', () => {
    const { lines, bad, incomplete } = readAdminJson(JSON.stringify(anthropicUsage), 'anthropic')
    expect(lines).toEqual([
      {
        at: 'data[0].results[0]',
        day: '2026-11-19',
        provider: 'anthropic',
        model: 'claude-opus-4-1',
        providerKey: 'apikey_1',
        tokens: { input: 1001n, cachedRead: 20_000n, cacheWrite: 4000n, output: 500n, reasoning: 0n },
        chargedNanoUsd: undefined,
        currency: '',
        requests: 0n,
      },
    ])
    expect(bad.map(({ at, why }) => [at, why.split(':')[0]])).toEqual([
      ['data[0].results[2]', 'model is missing'],
      ['data[0].results[3]', 'uncached_input_tokens must be a whole number from 0 on'],
      ['data[0].results[4]', 'is no object'],
      ['data[1].results[0]', 'starting_at must be a day or a time'],
      ['data[2]', 'results are missing'],
    ])
    expect(incomplete).toBe(true)
  })

  it('H12: Anthropic says its costs in cents, as text; each page of several is read', () => {
    const results = [
      {
        currency: 'USD',
        amount: '123.456789',
        model: 'claude-opus-4-1',
        workspace_id: 'w',
        token_type: 'output_tokens',
      },
      { currency: 'USD', amount: '0.5', model: 'claude-opus-4-1', workspace_id: 'w' },
      { currency: 'USD', amount: '100', model: null, description: 'Web Search Usage' },
      { currency: 'USD', amount: '-1', model: 'm' },
    ]
    const page = { data: [{ starting_at: '2026-11-19T00:00:00Z', results }], has_more: false }
    const { lines, bad, incomplete } = readAdminJson(JSON.stringify([page, { data: [] }]), 'anthropic')
    expect(lines.map(({ model, providerKey, chargedNanoUsd }) => [model, providerKey, chargedNanoUsd])).toEqual([
      ['claude-opus-4-1', 'w', 1_239_567_890n],
      ['Web Search Usage', '', 1_000_000_000n],
    ])
    expect(bad).toMatchObject([
      { at: 'page 1, data[0].results[3]', why: expect.stringContaining('negative') as string },
    ])
    expect(incomplete).toBe(false)
  })

  it('H12: OpenAI counts cached tokens within its input; its costs name a model before a comma', () => {
    const day = { start_time: Date.UTC(2026, 10, 19) / 1000 }
    const usage = {
      model: 'gpt-4o',
      input_tokens: 1000,
      input_cached_tokens: 600,
      output_tokens: 50,
      num_model_requests: 7,
    }
    const { lines } = readAdminJson(JSON.stringify({ data: [{ ...day, results: [usage] }] }), 'openai')
    expect(lines).toMatchObject([
      {
        day: '2026-11-19',
        tokens: { input: 400n, cachedRead: 600n, output: 50n },
        requests: 7n,
        chargedNanoUsd: undefined,
      },
    ])
    const costs = [
      { line_item: 'gpt-4o-2024-08-06, input', project_id: 'proj', amount: { value: 0.06, currency: 'usd' } },
      { line_item: 'gpt-4o-2024-08-06, output', project_id: 'proj', amount: { value: '0E-6176', currency: 'usd' } },
      { line_item: null, amount: { value: 1, currency: 'usd' } },
      { line_item: 'x', amount: 5 },
    ]
    const found = readAdminJson(JSON.stringify({ data: [{ ...day, results: costs }] }), 'openai')
    expect(found.lines).toMatchObject([
      { model: 'gpt-4o-2024-08-06', providerKey: 'proj', chargedNanoUsd: 60_000_000n, currency: 'USD' },
    ])
    expect(found.bad).toHaveLength(2)
  })

  it.each(['', '{', '[1]', '{"data":{}}', 'null'])('H12: %j is no report, and says what to save', (text) => {
    expect(() => readAdminJson(text, 'openai')).toThrow(/file is n/)
  })
})

describe('a table of use', () => {
  it('H12: is read with a mark at its beginning, either end of line, quotes, and columns in any order', () => {
    const text =
      '\ufeffModel,day,PROVIDER,charged,note'.replace(',note', ',key') + '\r\n"a ""b"", c",2026-11-19,acme,1.5,k\n\n'
    const { lines, bad } = readUsageCsv(text)
    expect([bad, lines]).toMatchObject([
      [],
      [
        {
          at: 'line 2',
          model: 'a "b", c',
          provider: 'acme',
          providerKey: 'k',
          chargedNanoUsd: 1_500_000_000n,
          currency: 'USD',
        },
      ],
    ])
  })

  it('H12: a line that is wrong is named by its place and left out', () => {
    const rows = ['day,provider,model,charged,currency,output_tokens']
    rows.push('2026-11-19,acme,m,1,EUR,5', '2026-02-30,acme,m,1,,', '2026-11-19,,m,1,,', '2026-11-19,acme,m,-1,,')
    rows.push('2026-11-19,acme,m,1e999,,', '2026-11-19,acme,m,,,-5', '2026-11-19,acme')
    const { lines, bad } = readUsageCsv(rows.join('\n'))
    expect(lines).toMatchObject([{ at: 'line 2', currency: 'EUR', tokens: { output: 5n } }])
    expect(bad.map(({ at }) => at)).toEqual(['line 3', 'line 4', 'line 5', 'line 6', 'line 7', 'line 8'])
  })

  it.each([
    ['', 'empty'],
    ['day,provider', 'model is missing'],
    ['day,provider,model,tokens', 'no column "tokens"'],
    ['day,provider,model,day', 'twice'],
    ['day,provider,model\n"open', 'never closed'],
  ])('H12: %j is no table of use', (text, why) => {
    expect(() => readUsageCsv(text)).toThrow(why)
  })

  it('H12: rows tell the line that they begin on, also behind one with a line end in a cell', () => {
    expect([...csvRows('a,b\r\n"1\n2",x\n3,y')]).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1\n2', 'x'] },
      { line: 4, cells: ['3', 'y'] },
    ])
  })
})
