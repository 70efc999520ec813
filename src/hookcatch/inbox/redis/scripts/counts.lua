local answers = {}
for _, source in ipairs(sources()) do
  for _, state in ipairs(states) do
    local number = call('ZCARD', index('seq', state, source))
    if number > 0 then
      answers[#answers + 1] = {source, state, number}
    end
  end
end
return answers
