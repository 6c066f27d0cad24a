"""A trained policy on the model hub, where a recipe asks for it."""

from __future__ import annotations

from pathlib import Path

from referee.trainers.recipes.recipe import RecipeError
from referee.trainers.record.run_record import Run


def push_to_hub(run: Run, repository: str) -> str:
    """Upload a run's last policy as a private repository of the hub, and return its address.

    Raises:
        RecipeError: where the hub cannot be reached or refuses; the run is whole, and can be pushed again.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    found = run.checkpoints()
    if not found:
        raise RecipeError(f"push_to_hub needs a checkpoint, got none in {run.folder}")
    folder: Path = found[-1][1] / "policy"
    try:
        api = HfApi()
        api.create_repo(repository, private=True, exist_ok=True)
        return str(api.upload_folder(repo_id=repository, folder_path=folder))
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as e:
        said = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise RecipeError(
            f"push_to_hub: {repository!r} could not be pushed: {said}; the run is whole in {run.folder}"
        ) from e
