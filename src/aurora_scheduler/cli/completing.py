"""`aurora completion`, and what a shell completes: commands and options by click, jobs by the database."""

from __future__ import annotations

import shlex

import click
from click.shell_completion import CompletionItem, get_completion_class

from aurora_scheduler.stores import job_names

__all__ = ["complete_job", "completion"]

_SHELLS = ("bash", "zsh", "fish")
#: So many jobs are offered at most.
_MOST = 200


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that has SHELL complete commands, options and jobs.

    \b
    Where it is put, once:
      aurora completion bash > ~/.local/share/bash-completion/completions/aurora
      aurora completion zsh > ~/.zfunc/_aurora
      aurora completion fish > ~/.config/fish/completions/aurora.fish

    bash needs its package bash-completion for that; zsh the line `fpath+=~/.zfunc` before `compinit` in ~/.zshrc. A
    shell that is open already takes it by `source`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "aurora", "_AURORA_COMPLETE").source())


def complete_job(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The ids and names that begin so, of the jobs of the database that is meant as far as is known. It is only read.

    What a shell would take apart is not offered: of such a job it is the id.
    """
    try:
        found = job_names(ctx.params.get("database") or "", incomplete, _MOST)
    except Exception:  # whatever was said of it would stand in the middle of the line that is being typed
        return []
    words = {name: None for _, name in found} | dict(found)
    offered = {word: name for word, name in words.items() if word.startswith(incomplete) and shlex.quote(word) == word}
    return [CompletionItem(word, help=name if name != word else None) for word, name in offered.items()]
