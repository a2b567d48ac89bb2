"""The two facades, used as a program uses them: real schedulers, real files, real threads and processes.

`callbacks` and `alone` are named by jobs, `waiting` waits for facts, `scripts` runs programs of their own.
"""
