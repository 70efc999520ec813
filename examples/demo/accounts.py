"""What the senders and the receiver agreed on."""

PUBLIC_URL = "https://hooks.example.com"

SECRETS = {
    "standard_webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "svix": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "stripe": "whsec_5f0c1e9ab7d24c3f8e6d",
    "slack": "8f742231b10e8888abcd99yyyzzz85a5",
    "twilio": "2b1a9c3d4e5f60718293a4b5c6d7e8f9",
}

STRANGERS = {
    "standard_webhooks": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "svix": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "stripe": "whsec_somebody_elses_secret",
    "slack": "00000000000000000000000000000000",
    "twilio": "00000000000000000000000000000000",
}
"""Secrets that the receiver was never told."""
