"""The scheduler was started before the workers were forked: they are told, and whoever started it goes on."""

from __future__ import annotations

from pathlib import Path

from servers.serving import serving

#: A mistake: this is loaded by gunicorn's master, under `--preload`.
TOO_EARLY = """
from aurora_scheduler import CronService, ForkedProcessError, get_cron_service
from servers import work

work.is_there()
cron = CronService()  # not `get_cron_service()`, which a forked worker has anew
cron.start()


def refresh_prices(execution_id, scheduled_for):
    work.refresh(execution_id, scheduled_for)


cron.schedule_relative(name="prices", relative_time="every 1 second", callback=refresh_prices, job_id="refresh_prices")


def app(environ, start_response):
    try:
        text = str(cron.get_all_jobs())
    except ForkedProcessError as error:
        text = f"ForkedProcessError: {error}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""


def test_workers_forked_after_the_start_are_told_and_the_master_goes_on_and_ends(tmp_path: Path):
    (tmp_path / "early.py").write_text(TOO_EARLY)
    with serving(
        tmp_path, "-m", "gunicorn", "early:app", "--preload", "--workers", "2", "--bind", "unix:{socket}"
    ) as server:
        told = server.asks()
        assert told.startswith(f"ForkedProcessError: this scheduler was started in process {server.pid}")
        assert "make one of your own here, after the fork" in told
        rows = server.has_fired(2)
        assert {line.pid for line in server.said("effect")} == {server.owner()} == {server.pid}
        server.is_asked_to_stop()
        said = server.ends()
        assert "SIGKILL" not in said, "a worker had to be killed, since it did not end"
        assert len({row.owner for row in server.rows()}) == 1
        assert len(rows) >= 2
        server.check()
