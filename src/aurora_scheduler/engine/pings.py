"""One GET, for whoever wants to hear that a job has run."""

from __future__ import annotations

from aurora_scheduler.callbacks import raised
from aurora_scheduler.forks import NoFork

__all__ = ["what_is_wrong_with"]

#: How long, in seconds, a connection may take, and then the answer.
_WITHIN = 10.0


def what_is_wrong_with(url: str, within: float = _WITHIN) -> str | None:
    """Ask for the URL, following redirects, and blocking; None where the answer is a 2xx, else why it is not."""
    with NoFork():
        import urllib.error
        import urllib.request
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "aurora-scheduler"})
        urllib.request.urlopen(request, timeout=within).close()
    except urllib.error.HTTPError as error:
        error.close()
        return f"the answer is {error.code}"
    except Exception as error:  # a name without a host, a line that breaks, an answer that is no HTTP
        return raised(error).error
    return None
