"""hookcatch: verify, keep, acknowledge, handle webhooks."""

from .app import Hookcatch as Hookcatch
from .app import Source as Source
from .core.errors import ConfigurationError as ConfigurationError
from .core.errors import Discard as Discard
from .core.errors import HookcatchError as HookcatchError
from .core.errors import Park as Park
from .core.errors import Rejected as Rejected
from .core.errors import Retry as Retry
from .core.model import Delivery as Delivery
from .core.model import Event as Event
from .core.payload import At as At
from .core.ports import Retention as Retention
from .core.ports import Transaction as Transaction
from .core.retry import Backoff as Backoff
from .core.secret import Secret as Secret
from .core.wire import Request as Request
from .core.wire import Response as Response
from .doctor import diagnose as diagnose
from .router import Router as Router

__version__ = "0.1.0.dev0"
