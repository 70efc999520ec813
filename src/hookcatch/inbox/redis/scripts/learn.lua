-- ARGV: source and tenant in one, the secret.
call('HSETNX', prefix .. 'secrets', ARGV[1], ARGV[2])
return call('HGET', prefix .. 'secrets', ARGV[1])
