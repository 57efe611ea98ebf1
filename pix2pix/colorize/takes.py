"""Takes: renderings of one photo to choose from, cooler and warmer ones before other colors.

Most of the error of a colored photo is its mean color, and of that most is b*: of three
temperatures the best is worth more than any draw of other colors.
"""

from dataclasses import replace

from pix2pix.colorize.wish import MOST_TEMPERATURE, Wish

STEP = 10.0  # of b*, to the cooler and to the warmer take
SEEDS = (1, 2, 3)


def takes(wish: Wish, *, variants: bool = True) -> list[tuple[str, Wish]]:
    """List the takes of a wish and their names: cooler, as it is, warmer; then by SEEDS.

    Temperatures are those beside the wish's own, no further than a Wish allows; its saturation and
    hints are kept. `variants` is `Colorizer.has_variants`: without it a seed changes nothing.
    """
    cooler = max(wish.temperature - STEP, -MOST_TEMPERATURE)
    warmer = min(wish.temperature + STEP, MOST_TEMPERATURE)
    found = [
        ("cooler", replace(wish, temperature=cooler)),
        ("as it is", wish),
        ("warmer", replace(wish, temperature=warmer)),
    ]
    seeds = SEEDS if variants else ()
    found = [(name, take) for name, take in found if name == "as it is" or take != wish]
    return found + [
        (f"other colors {i}", replace(wish, seed=seed)) for i, seed in enumerate(seeds, 1)
    ]
