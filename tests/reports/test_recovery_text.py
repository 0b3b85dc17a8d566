from __future__ import annotations

from typing import Any

from reports.recovery_text import recovery_lines


def likeness(**changed: Any) -> dict[str, Any]:
    said = {
        "judge": "ms1m",
        "same_picture": changed.pop("same_picture", 20),
        "other_picture": 0,
        "other_picture_strict": 0,
        "false_matches": 99,
        "false_matches_strict": 9,
        "comparisons": 9900,
        "faces": 100,
    }
    found = {
        "ssim": 0.5,
        "ssim_range": [0.4, 0.6],
        "psnr_db": 15.04,
        "correlation": 0.701,
        "judged": [said, {**said, "judge": "casia", "same_picture": 33}],
        "faces": 100,
    }
    return {**found, **changed}


def test_both_attacks_stand_under_the_floors_and_the_ceiling() -> None:
    floors = {
        "blank": likeness(correlation=None),
        "mean_face": likeness(),
        "unprotected": likeness(ssim=1.0, ssim_range=[1.0, 1.0], psnr_db=None),
    }
    noisy = {"title": "2x2 means, eps 8 a mean", "epsilon": 25000.0, "trained": likeness()}
    quiet = {"title": "63 maxabs, no noise", "epsilon": None, "trained": likeness()}
    noisy["verdict"], quiet["verdict"] = "counts", "weaker than linear"
    rows = [{**row, "linear": likeness(same_picture=1)} for row in (noisy, quiet)]
    head, *lines = recovery_lines(floors, rows)
    blank, mean, ceiling = lines[0:6:2]
    pairs = lines[6:]
    assert {len(line) for line in lines} == {len(head)}
    assert len(pairs) == 2 * 2 * 2  # two inputs, two attacks, two judges
    assert "0.500 (0.400-0.600)   15.0      -" in blank
    assert "1.000 (1.000-1.000)      -   0.70" in ceiling
    assert pairs[0].startswith("2x2 means, eps 8 a mean")
    assert "2.5e+04 A3" in pairs[0]
    assert "20 (13 to 29)" in pairs[0]
    assert "casia" in pairs[1]
    assert "33 (25 to 43)" in pairs[1]
    assert pairs[2].lstrip().startswith("A1")
    assert "none A3, weaker than linear: does not count" in pairs[4]
    assert mean.startswith("mean training face")
