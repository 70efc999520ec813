local first = false
for _, source in ipairs(sources()) do
  for _, state in ipairs({'pending', 'relayed', 'running'}) do
    local at = call('ZRANGE', index('at', state, source), 0, 0, 'WITHSCORES')[2]
    if at and (not first or tonumber(at) < tonumber(first)) then
      first = at
    end
  end
end
return first
