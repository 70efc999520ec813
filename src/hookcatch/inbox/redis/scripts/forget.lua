-- ARGV: source and tenant in one.
return call('HDEL', prefix .. 'secrets', ARGV[1])
