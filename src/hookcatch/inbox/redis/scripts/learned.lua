-- ARGV: source and tenant in one.
return call('HGET', prefix .. 'secrets', ARGV[1])
