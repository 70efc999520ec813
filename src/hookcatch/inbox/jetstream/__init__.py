"""The inbox in NATS JetStream: a log of all calls, and a copy of the inbox that every process makes of it."""
