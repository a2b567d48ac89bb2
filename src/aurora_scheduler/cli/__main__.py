"""`python -m aurora_scheduler.cli` is the command `aurora`."""

from aurora_scheduler.cli import main

if __name__ == "__main__":
    main(prog_name="aurora")
