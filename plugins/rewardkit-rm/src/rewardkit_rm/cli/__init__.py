"""``rewardkit rm``: one module a command, loaded when it is called."""

from __future__ import annotations

import importlib

import click

__all__ = ["rm"]

_COMMANDS = {
    "data": "rewardkit_rm.cli.data:data",
    "train": "rewardkit_rm.cli.train:train",
    "eval": "rewardkit_rm.cli.evaluate:evaluate",
    "calibrate": "rewardkit_rm.cli.calibrate:calibrate",
    "check": "rewardkit_rm.cli.check:check",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Commands)
def rm() -> None:
    """Reward models: look after preference data, train, evaluate, calibrate, and check before RL.

    \b
    A first run:
      rewardkit rm data check pairs.jsonl
      rewardkit rm data split pairs.jsonl -o splits --share train=0.8 --share held-out=0.2
      rewardkit rm train examples/rm/minilm-head.yaml splits/train.jsonl --output my-rm
      rewardkit rm eval my-rm splits/held-out.jsonl --html report.html
      rewardkit rm calibrate my-rm splits/held-out.jsonl
      rewardkit rm check my-rm splits/held-out.jsonl
    """  # noqa: D301
