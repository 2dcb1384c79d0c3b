const at = '2026-02-03T04:05:06Z'

/** The data file of a ModeloMan, with one object of each kind and a batch and one of attempts. */
export const modeloManState = {
  tasks: [
    { id: 't', title: 'moved', details: 'd', status: 'in_progress', tags: ['a'], created_at: at, updated_at: at },
  ],
  notes: [{ id: 'n', title: 'note', body: 'b', tags: [], created_at: at }],
  changelog: [{ id: 'c', category: 'infra', summary: 's', details: '', actor: 'me', created_at: at }],
  benchmarks: [
    {
      id: 'b',
      workflow: 'moved',
      provider_type: 'api',
      provider: 'openai',
      model: 'gpt-5',
      tokens_in: 3,
      tokens_out: 4,
      cost_usd: 0.000123456,
      latency_ms: 5,
      quality_score: 0.5,
      notes: '',
      created_at: at,
    },
  ],
  runs: [
    {
      id: 'r1',
      task_id: 't',
      workflow: 'moved',
      agent_id: 'x',
      prompt_version: 'v1',
      model_policy: '',
      status: 'failed',
      max_retries: 2,
      last_error: 'gave up',
      started_at: at,
      finished_at: at,
    },
    { id: 'r2', workflow: 'moved', status: 'running' },
  ],
  attempts: Array.from({ length: 201 }, (_, index) => ({
    id: `a${index}`,
    run_id: 'r1',
    attempt_number: index + 1,
    model: 'nobody-knows',
    outcome: index === 0 ? 'timeout' : 'success',
    tokens_in: 10,
    tokens_out: 1,
    cost_usd: 0.1,
    latency_ms: 7,
    created_at: at,
  })),
  run_events: [
    {
      id: 'e',
      run_id: 'r2',
      event_type: 'note',
      level: 'warn',
      message: 'm',
      data_json: '{"k":1}',
      created_at: at,
    },
  ],
  policy: { kill_switch: true, kill_switch_reason: 'x', max_cost_per_run_usd: 5 },
  policy_caps: [],
}
