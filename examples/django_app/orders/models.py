from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=50)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.number
