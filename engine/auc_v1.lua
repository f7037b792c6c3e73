#!lua name=auc_v1

-- The only things that may happen to a shard's keys, each atomic on the server.
--
-- Lua has no rollback: an error after the first write would leave half a commit.  So every
-- function reads and checks first, and below the line "nothing above wrote" nothing can fail.
-- Payloads are opaque: they are stored, never parsed and never become code.
--
-- All keys of a shard share one hash tag: {s}:cmd {s}:evt {s}:meta {s}:lease.

local PAYLOAD_LIMIT = 1048576 -- bytes of one entry of cmd
local EVENTS_LIMIT = 2048     -- events of one commit (MAXB)
local TRIM_EVERY = 64         -- commits between two trims of cmd

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function later(a, b) -- is stream id a later than b?
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms > b_ms or (a_ms == b_ms and tonumber(a_n) > tonumber(b_n))
end

-- append(cmd, meta ; payload, max_lag, unled_after_ms): a wish enters the log.
-- max_lag 0 is the engine's own: no check but the size.  Everybody else is refused while the
-- backlog is full, and while no leader has been alive for unled_after_ms: then nobody would
-- decide, and a lot's end could pass with bids waiting.
local function append(keys, args)
  local max_lag = tonumber(args[2])
  if #args[1] > PAYLOAD_LIMIT then return redis.error_reply('TOO_BIG') end
  if max_lag > 0 then
    if redis.call('XLEN', keys[1]) > max_lag then return redis.error_reply('OVERLOADED') end
    local alive = redis.call('HGET', keys[2], 'alive')
    if not alive or now_ms() - tonumber(alive) > tonumber(args[3]) then
      return redis.error_reply('UNLED')
    end
  end
  return redis.call('XADD', keys[1], '*', 'p', args[1])
end

-- commit(meta, cmd, evt ; epoch, cur0, seq0, head0, cur1, head1, max_lag, event…): what was
-- decided becomes the shard's history, all or nothing.
local function commit(keys, args)
  local m = redis.call('HMGET', keys[1], 'epoch', 'cursor', 'seq', 'head', 'commits')
  local epoch, cur0, seq0, head0, cur1, head1 = args[1], args[2], args[3], args[4], args[5], args[6]
  local n = #args - 7
  local seq1 = string.format('%.0f', tonumber(seq0) + n)
  if m[1] ~= epoch then return redis.error_reply('FENCED ' .. tostring(m[1])) end
  if m[2] == cur1 and m[3] == seq1 and m[4] == head1 then return 'ALREADY' end
  if m[2] ~= cur0 or m[3] ~= seq0 or m[4] ~= head0 then return redis.error_reply('DIVERGED') end
  if n > EVENTS_LIMIT or not later(cur1, cur0) then return redis.error_reply('BAD') end
  local commits = tonumber(m[5] or 0) + 1
  local trim = commits % TRIM_EVERY == 0 or redis.call('XLEN', keys[2]) > tonumber(args[7]) / 2
  -- nothing above wrote; nothing below can fail
  for i = 1, n do
    redis.call('XADD', keys[3], string.format('%.0f-0', tonumber(seq0) + i), 'e', epoch, 'd', args[7 + i])
  end
  redis.call('HSET', keys[1], 'cursor', cur1, 'seq', seq1, 'head', head1, 'commits', commits)
  if trim then redis.call('XTRIM', keys[2], 'MINID', '=', cur1) end
  return 'OK'
end

-- acquire(meta, lease, cmd ; node, ttl_ms, lineage, shards, genesis, stopped_after_ms, resume):
-- lead the shard.  After a stop the command `resume` enters cmd in the same step, before any
-- bid can: a gateway takes none until it has seen the leader's first sign of life.
local function acquire(keys, args)
  local node, ttl = args[1], args[2]
  local shards = redis.call('HGET', keys[1], 'shards')
  if shards and shards ~= args[4] then return {'SHARDS', shards} end
  local holder = redis.call('GET', keys[2])
  if holder and holder ~= node then return {'HELD', holder} end
  local now = now_ms()
  local alive = redis.call('HGET', keys[1], 'alive')
  -- nothing above wrote; nothing below can fail
  redis.call('SET', keys[2], node, 'PX', ttl)
  if not shards then
    redis.call('HSET', keys[1], 'shards', args[4], 'lineage', args[3], 'cursor', '0-0', 'seq', '0', 'head', args[5])
  end
  local stopped = alive and now - tonumber(alive) > tonumber(args[6])
  if stopped then redis.call('XADD', keys[3], '*', 'p', args[7]) end
  local epoch = redis.call('HINCRBY', keys[1], 'epoch', 1)
  redis.call('HSET', keys[1], 'leader', node, 'alive', now)
  local m = redis.call('HMGET', keys[1], 'lineage', 'cursor', 'seq', 'head')
  return {'OK', epoch, m[1], m[2], m[3], m[4], stopped and 1 or 0}
end

-- renew(meta, lease ; node, epoch, ttl_ms, unled_after_ms): still leading, and alive.
-- A lease may have expired while the server itself stood still (a slow fsync).  As long as the
-- epoch is ours nobody has led since; it is taken again, unless bids have been refused for so
-- long that trading had stopped: then acquire makes good what fell into the stop.
local function renew(keys, args)
  local m = redis.call('HMGET', keys[1], 'epoch', 'alive')
  local holder = redis.call('GET', keys[2])
  local now = now_ms()
  if m[1] ~= args[2] or (holder and holder ~= args[1]) then return redis.error_reply('LOST') end
  if not holder and now - tonumber(m[2]) > tonumber(args[4]) then return redis.error_reply('LOST') end
  -- nothing above wrote; nothing below can fail
  redis.call('SET', keys[2], args[1], 'PX', args[3])
  redis.call('HSET', keys[1], 'alive', now)
  return 'OK'
end

-- revoke(lease ; node): the node has ended; let another lead at once.
local function revoke(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('DEL', keys[1])
end

-- Out of memory, decided bids can still be committed and new ones are refused.
-- The clock's own command must still get in, or no lot would close: that is auc_v1_wake.
redis.register_function('auc_v1_append', append)
redis.register_function{function_name='auc_v1_wake', callback=append, flags={'allow-oom'}}
redis.register_function{function_name='auc_v1_commit', callback=commit, flags={'allow-oom'}}
redis.register_function{function_name='auc_v1_acquire', callback=acquire, flags={'allow-oom'}}
redis.register_function{function_name='auc_v1_renew', callback=renew, flags={'allow-oom'}}
redis.register_function{function_name='auc_v1_revoke', callback=revoke, flags={'allow-oom'}}
