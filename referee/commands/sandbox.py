"""``referee sandbox``: what the code sandboxes need."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from referee.commands.inputs import BadInput


def sandbox(
    action: str,
    /,
    *,
    tag: str = "",
    engine: str = "",
    package: Annotated[list[str] | None, Parameter(negative=())] = None,
) -> int:
    """Make the Docker sandbox's image from this machine's own Python, without any registry.

    Args:
        action: build-image.
        tag: The image's name; by default the one that the Docker sandbox looks for.
        engine: The engine's address; by default the one that the docker command finds.
        package: A package to take along from this environment; may be repeated.
    """
    if action != "build-image":
        raise BadInput(f"the action must be build-image, got {action!r}")
    import docker

    from referee.sandbox import build_image

    try:
        made = build_image(tag=tag, engine=engine, packages=tuple(package or ()))
    except (docker.errors.DockerException, ImportError, OSError) as e:
        raise BadInput(f"the image cannot be made: {e}") from None
    print(made)  # noqa: T201  # what the command is asked for
    return 0
