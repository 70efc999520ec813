from django.test import TestCase

from hookcatch.django.testing import deliver, work

from .models import Order


class OrderTests(TestCase):
    def test_an_order_of_the_partner_is_on_the_page(self) -> None:
        response = deliver(self.client, "partner", "order.created", {"id": "o_1", "total": "9.90"})
        self.assertEqual(response.status_code, 200)
        self.assertEqual([close.state for close in work()], ["succeeded"])
        self.assertContains(self.client.get("/"), "o_1")

    def test_the_same_event_twice_is_one_order(self) -> None:
        for _ in range(2):
            deliver(self.client, "partner", "order.created", {"id": "o_1", "total": "9.90"}, id="evt_1")
        work()
        self.assertEqual(Order.objects.count(), 1)

    def test_a_forger_gets_nothing(self) -> None:
        response = deliver(self.client, "partner", "order.created", {}, body=b'{"type": "order.created"}')
        self.assertEqual(response.status_code, 401)
        self.assertEqual(work(), [])

    def test_an_order_without_a_total_is_parked(self) -> None:
        deliver(self.client, "partner", "order.created", {"id": "o_1"})
        self.assertEqual([close.state for close in work()], ["invalid"])

    def test_a_paid_invoice_waits_for_its_order(self) -> None:
        deliver(self.client, "stripe", "invoice.paid", {"id": "in_1", "metadata": {"order": "o_1"}})
        self.assertEqual([close.state for close in work()], ["pending"])
        Order.objects.create(number="o_1", total=1)
        deliver(self.client, "stripe", "invoice.paid", {"id": "in_1", "metadata": {"order": "o_1"}})
        self.assertEqual([close.state for close in work()], ["succeeded"])
        self.assertTrue(Order.objects.get().paid)
