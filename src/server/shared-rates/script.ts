/**
 * The buckets of src/gate/gcra.ts in one atomic step: change both or neither. KEYS are the buckets; for each of them ARGV has
 * cost, tokens per second, burst and whether to take. ARGV[1] is the time in milliseconds; empty is that of the server, which
 * is one for all replicas. Answers with the number of the first empty bucket and its wait, or with 0 and the backlog of each.
 * Numbers travel as text: Redis cuts the fraction off a Lua number.
 */
export const script = `
local now = tonumber(ARGV[1])
if now == nil then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local reply = { '0' }
for at, key in ipairs(KEYS) do
  local cost = tonumber(ARGV[at * 4 - 2])
  local per_second = tonumber(ARGV[at * 4 - 1])
  local burst = tonumber(ARGV[at * 4])
  local interval = 1000 / per_second
  local arrival = math.max(tonumber(redis.call('GET', key) or now), now)
  local wait = arrival - now + (cost - burst) * interval
  if wait > 0.0001 then
    return { tostring(at), string.format('%.17g', wait) }
  end
  if ARGV[at * 4 + 1] == '1' then
    arrival = arrival + (cost * 1000) / per_second
    redis.call('SET', key, string.format('%.17g', arrival), 'PX', string.format('%.0f', math.ceil(arrival - now) + 1000))
  end
  reply[at + 1] = string.format('%.17g', arrival - now)
end
return reply
`
