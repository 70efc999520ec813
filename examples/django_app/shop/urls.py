from django.contrib import admin
from django.urls import include, path
from orders.views import order_list

urlpatterns = [
    path("", order_list),
    path("hooks/", include("hookcatch.django.urls")),
    path("admin/", admin.site.urls),
]
