"""The durable trace: records of decisions that are chained, signed, found again, verified and replayed.

`TraceLog` records the decisions of a program that ranks; `TraceStore` is what it writes to, `Reader` what others read.
`verify` says whether a log is what was written, `replay` whether its decisions come to the same again, to the bit.
"""

from tenantrank.errors import TraceError
from tenantrank.trace.checkpoints import Checkpoint, append_checkpoint, read_checkpoints
from tenantrank.trace.log import TraceLog
from tenantrank.trace.reader import Reader
from tenantrank.trace.replay import Replayed, replay
from tenantrank.trace.report import Report
from tenantrank.trace.signing import Signer
from tenantrank.trace.store import TraceStore
from tenantrank.trace.verify import verify

__all__ = [
    "Checkpoint",
    "Reader",
    "Replayed",
    "Report",
    "Signer",
    "TraceError",
    "TraceLog",
    "TraceStore",
    "append_checkpoint",
    "read_checkpoints",
    "replay",
    "verify",
]
