"""The app of these tests, in Flask, for Flask's own server."""

from __future__ import annotations

from app import hooks
from flask import Flask

from hookcatch.flask import mount

app = Flask(__name__)
mount(app, hooks, "")
