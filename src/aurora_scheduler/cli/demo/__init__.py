"""`aurora demo`: a scheduler at real work, killed half-way and started again, and the accounts balanced in the end.

Two processes work on one database. The child (`child`) is the program with the scheduler: it declares its jobs
(`jobs`) and fires them. The parent (`director`) only reads and shows (`board`), sends the SIGKILL, and checks in the
end that every instant that fell due has its record (`ledger`).
"""

from aurora_scheduler.cli.demo.command import demo

__all__ = ["demo"]
