"""The contract of `hookcatch.core.ports.Inbox`, by sentence, and any order of things against a small model."""

from __future__ import annotations

from typing import ClassVar

from .accepting import Accepting
from .claiming import Claiming
from .keeping import Keeping
from .lanes import Lanes
from .leasing import Leasing
from .living import Living
from .looking import Looking
from .machine import behave_like_the_model
from .relaying import Relaying
from .settling import Settling


class InboxContract(Accepting, Claiming, Leasing, Lanes, Settling, Relaying, Keeping, Looking, Living):
    """Tests of an inbox of your own: a class of yours that says how it is made, and pytest runs the rest.

        class TestMyInbox(InboxContract):
            def make(self, directory, clock):
                return MyInbox(directory / "events", clock=clock)

    Attributes:
        examples: how many runs of up to 50 steps are compared with the model.
    """

    examples: ClassVar[int] = 60

    def test_it_behaves_like_the_model(self) -> None:
        """Any order of deliveries, claims, crashes, clocks and operators."""
        behave_like_the_model(self.make, self.examples)
