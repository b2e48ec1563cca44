"""The tasks of a GAN: training it and drawing from it, stopped and continued."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from iddpm.running.interruption import Interrupted
from studies.execute.forecast import Forecast
from studies.runners import RUNNERS, Work
from studies.runners.rivals import gan_block
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.stores import done


def work_on(task: Task, parent: Task, store: Store, **changes: Any) -> Work:
    usual: dict[str, Any] = {
        "task": task,
        "folder": store.folder(task.address),
        "parents": {"network": store.folder(parent.address)},
        "parent_tasks": {"network": parent},
        "progress": lambda done, total: None,
        "should_stop": lambda: False,
        "is_due": lambda seconds: False,
        "device": "cpu",
    }
    return Work(**{**usual, **changes})


def test_a_gans_images_are_those_of_its_average_for_labels_in_turn(store: Store) -> None:
    trained = tiny.gan()
    whole = tiny.gan_sampling(trained, last_block=7)
    done(store, trained, whole)
    images = np.load(store.folder(whole.address) / "samples.npy")
    assert images.shape == (14, 8, 8, 1)
    assert images.max() <= 16
    result = store.result(whole.address)
    assert result is not None
    assert (result["classes"], result["weights"]) == (10, "ema 0.9")
    labels: list[int] = []

    def network(z: Any, asked: Any) -> Any:
        labels.extend(asked.tolist())
        return z.new_zeros(len(z), 1, 8, 8)

    for block in range(7):
        gan_block(whole.config, trained.config, network, block, "cpu")  # type: ignore[arg-type]
    assert labels == [place % 10 for place in range(14)]


def test_an_image_of_the_stream_is_the_same_in_any_shard(store: Store) -> None:
    trained = tiny.gan()
    whole = tiny.gan_sampling(trained, last_block=3)
    part = tiny.gan_sampling(trained, first_block=1, last_block=3)
    done(store, trained, whole, part)
    images = [np.load(store.folder(task.address) / "samples.npy") for task in (whole, part)]
    np.testing.assert_array_equal(images[0][2:], images[1])


def test_sampling_a_gan_that_was_stopped_goes_on_from_its_finished_blocks(store: Store) -> None:
    trained, shard = tiny.gan(), tiny.gan_sampling(tiny.gan(), last_block=3)
    done(store, trained)
    store.create(shard)
    seen: list[int] = []
    work = work_on(
        shard,
        trained,
        store,
        progress=lambda done, total: seen.append(done),
        should_stop=lambda: len(seen) == 2,
    )
    with pytest.raises(Interrupted) as caught:
        RUNNERS["gan_sample"](work)
    assert caught.value.saved == 4
    blocks = sorted((store.folder(shard.address) / "blocks").iterdir())
    marks = [path.stat().st_mtime_ns for path in blocks]
    result = RUNNERS["gan_sample"](replace(work, should_stop=lambda: False))
    assert [path.stat().st_mtime_ns for path in blocks] == marks
    assert result["images"] == 6


def test_a_gan_that_is_longer_starts_from_the_shorter_one_in_the_store(store: Store) -> None:
    short, long = tiny.gan(steps=6), tiny.gan(steps=10)
    done(store, short)
    store.create(long)
    seen: list[int] = []
    work = work_on(long, short, store, progress=lambda done, total: seen.append(done))
    result = RUNNERS["gan"](work)
    assert seen == [7, 8, 9, 10]
    fresh = Store(store.root.parent / "fresh")
    done(fresh, long)
    assert fresh.result(long.address) == result


def test_a_gan_is_forecast_from_one_like_it(store: Store) -> None:
    done(store, tiny.gan(), tiny.gan_sampling(tiny.gan()))
    known = {task.address: task for task in (tiny.gan(seed=1), tiny.gan(latent=3))}
    forecast = Forecast(store)
    tenth = forecast.seconds(tiny.gan(seed=1, steps=10), known.__getitem__)
    assert tenth is not None
    assert forecast.seconds(tiny.gan(steps=100), known.__getitem__) == pytest.approx(10 * tenth)
    assert forecast.seconds(tiny.gan(latent=3), known.__getitem__) is None
    alike, unlike = (tiny.gan_sampling(task) for task in known.values())
    assert forecast.seconds(alike, known.__getitem__) is not None
    assert forecast.seconds(unlike, known.__getitem__) is None
