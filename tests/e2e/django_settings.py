"""For Django's own server, which serves whatever WSGI app its settings name."""

SECRET_KEY = "for tests only"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
WSGI_APPLICATION = "app.wsgi"
