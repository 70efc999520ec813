"""Feeds that a WebSub hub brings: the body is a feed in Atom."""

from __future__ import annotations

from hookcatch.signing.alternatives import Strongest
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import Pair
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import WEBSUB
from .row import Facts, Provider
from .shapes import AnyOf, Joined, Occurred, Path, Shape

DIGESTS = ("sha512", "sha384", "sha256", "sha1")
"""Those of WebSub; Google's hub takes the last."""

ROWS = (
    Provider(
        name="youtube",
        title="YouTube (WebSub)",
        scheme=Strongest(
            tuple(Signed(algorithm=Hmac(one), signature=Pair("x-hub-signature", one)) for one in DIGESTS)
        ),
        # A video that is changed comes again, with the time of the change.
        events=Shape(
            id=AnyOf(
                (
                    Joined((Path("feed.entry.videoId"), Path("feed.entry.updated")), "@"),
                    Path("feed.deleted-entry.@ref"),
                )
            ),
            data="feed",
            occurred_at=Occurred("feed.updated"),
            format="xml",
            kind="application/atom+xml",
        ),
        docs="https://developers.google.com/youtube/v3/guides/push_notifications",
        handshakes=(WEBSUB,),
        facts=Facts(source="https://developers.google.com/youtube/v3/guides/push_notifications"),
    ),
)
