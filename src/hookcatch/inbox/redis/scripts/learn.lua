-- ARGV: source and tenant in one, the secret.
call('HSETNX', key('secrets'), ARGV[1], ARGV[2])
return call('HGET', key('secrets'), ARGV[1])
