"""The Docker sandbox's image, made without a registry; and containers that a killed run left."""

from __future__ import annotations

import pytest

from referee.cli import main
from referee.sandbox import Docker, Outcome, Program, Source
from referee.sandbox.container import LABEL, alive, owner, remove_strays

pytestmark = pytest.mark.docker


def test_the_command_makes_an_image_that_serves(engine, capsys):
    assert main(["sandbox", "build-image", "--engine", engine, "--tag", "referee-test:made"]) == 0
    assert capsys.readouterr().out.strip() == "referee-test:made"
    box = Docker(workers=1, engine=engine, image="referee-test:made")
    assert box.execute(Program(sources=(Source(code="print(1)"),))).stdout == "1\n"
    box.close()


def test_an_image_that_is_not_there_is_unavailable(engine):
    box = Docker(workers=1, engine=engine, image="referee-test:none")
    assert box.execute(Program(sources=(Source(code="print(1)"),))).outcome is Outcome.SANDBOX_UNAVAILABLE


def test_another_action_is_refused(capsys):
    assert main(["sandbox", "dance"]) == 2
    assert "the action must be build-image" in capsys.readouterr().err


def test_strays_of_a_dead_process_are_removed_and_those_of_a_live_one_are_not(engine, docker):
    from referee.sandbox import container as module

    docker.start()
    client = module.connect(engine)
    image = module.own_image(client, ())
    names = {"dead": owner().rpartition(":")[0] + ":0", "live": owner()}
    made = {k: client.containers.create(image, labels={LABEL: name}) for k, name in names.items()}
    assert alive(names["live"])
    assert not alive(names["dead"])
    module._swept.clear()
    assert remove_strays(client) == [made["dead"].id]
    made["live"].remove(force=True)
