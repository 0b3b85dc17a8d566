from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from parties.model_provider import RgbEmbedder
from parties.model_provider.targets import TargetCache

Pictures = NDArray[np.uint8]


def test_the_teacher_is_asked_once_for_each_picture(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    cache = TargetCache(tiny_teacher)
    asked = cache.ask(pictures[:3])
    keys = [(0, False), (1, True), (2, False)]
    first = cache.of(keys, pictures[:3])
    torch.testing.assert_close(first.features, asked.features, rtol=1e-3, atol=1e-3)
    assert torch.equal(first.embedding, asked.embedding)
    # Other pictures under known names: the answers are remembered, the new name is asked for.
    second = cache.of([(0, False), (0, True)], pictures[5:7])
    assert torch.equal(second.embedding[0], first.embedding[0])
    assert not torch.equal(second.embedding[1], first.embedding[0])
    torch.testing.assert_close(second.embedding[1:], cache.ask(pictures[6:7]).embedding)


def test_a_full_cache_still_answers(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    cache = TargetCache(tiny_teacher, limit_bytes=0)
    first = cache.of([(0, False)], pictures[:1])
    other = cache.of([(0, False)], pictures[1:2])
    assert not torch.equal(first.embedding, other.embedding)


def test_half_precision_answers_nearly_the_same(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    whole, half = (TargetCache(tiny_teacher, half=half).ask(pictures[:4]) for half in (False, True))
    assert half.features.dtype == torch.float32
    cosine = torch.cosine_similarity(whole.embedding, half.embedding, dim=1)
    assert float(cosine.min()) > 0.999
