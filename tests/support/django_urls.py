"""The URLs of the test project."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from hookcatch.django import views

urlpatterns = [
    path("hooks", views.receive),
    path("hooks/", include("hookcatch.django.urls")),
    path("async", views.receive_async),
    path("async/", views.receive_async),
    path("async/<path:path>", views.receive_async),
    path("admin/", admin.site.urls),
]
