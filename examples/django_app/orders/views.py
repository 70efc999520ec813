from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .models import Order


def order_list(request: HttpRequest) -> HttpResponse:
    return render(request, "orders/list.html", {"orders": Order.objects.order_by("-pk")[:100]})
